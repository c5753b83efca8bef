"""shim"""

from roofmark.records import decode, encode
from roofmark.study import Study


def check_study(study, places={}):
    return decode(encode(study), Study, where="study")
