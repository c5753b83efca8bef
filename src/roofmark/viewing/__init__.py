"""Viewing: a local web page over a folder of bundles, for people with a browser.

In: a folder. Out: pages on a loopback address, until Ctrl-C. The pages only look: nothing in the
folder is written, executed or judged otherwise than by the commands. Starlette and uvicorn come
with the extra `view`; nothing else of roofmark imports this package.
"""
