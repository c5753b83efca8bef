"""The recipes in docs/fleet.md: what they are made of can be read by what will run it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def commands():
    """Every `roofmark ...` in the page, one per line."""
    for line in PAGE.replace("\\\n", " ").splitlines():
        for found in re.findall(r"\broofmark (?:run|loop|profile|doctor)\b[^`\n]*", line):
            yield found.split("  #")[0].strip()


def test_the_slurm_script_is_a_script():
    (script,) = blocks("sh")
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert script.startswith("#!/bin/bash\n#SBATCH ")
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-s", "bash", "-"], input=script, text=True, check=True)


def test_the_kuberay_manifest_gives_every_worker_one_gpu():
    yaml = pytest.importorskip("yaml")
    (text,) = blocks("yaml")
    (job,) = yaml.safe_load_all(text)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    for group in cluster["workerGroupSpecs"]:
        pod = group["template"]["spec"]
        mounted = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            own = container["resources"]
            assert own["limits"]["nvidia.com/gpu"] == "1" and own["requests"] == own["limits"]
    head = cluster["headGroupSpec"]["template"]["spec"]
    assert {m["name"] for m in head["containers"][0]["volumeMounts"]} == {"study", "out"}
    assert job["spec"]["entrypoint"].startswith("roofmark run /study --fleet ray ")


def test_every_option_in_the_page_exists():
    known = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    found = list(commands())
    assert len(found) > 8
    for command in found:
        for option in re.findall(r"(?<=\s)--[a-z-]+", command):
            if option not in ("--gpus",):
                assert option in known, (option, command)
