"""JupyterLab as ``make lab`` opens it: asked over its own API, from the server that the recipe starts."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from tokenomics import paths

TOKEN = "test"
PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The server of the recipe, without a browser and with nothing of the user's; gives a function that asks it."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    options = f"--no-browser --allow-root --ServerApp.port={port} --IdentityProvider.token={TOKEN}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    environment |= {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            ["make", "-o", "setup", "lab", f"ARGS={options}"],
            cwd=paths.ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield lambda path: ask(f"http://127.0.0.1:{port}{path}", server, home / "log")
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(address: str, server: subprocess.Popen, log: Path) -> str:
    request = urllib.request.Request(address, headers={"Authorization": f"token {TOKEN}"})
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.read().decode()
        except URLError as error:
            if hasattr(error, "code") or server.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{address}: {error}\n{log.read_text()}") from None
            time.sleep(0.2)


def test_it_opens_at_the_root_with_the_list_of_executed_copies(lab):
    held = {each["path"] for each in json.loads(lab("/api/contents"))["content"]}
    assert {"README.md", "notebooks", "results", "params"} <= held
    page = lab("/")  # redirected as the browser is
    config = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL).group(1))
    assert config["treePath"] == "README.md"
    for name in (path.stem for path in paths.NOTEBOOKS.glob("*.ipynb")):
        assert f"](results/{name}/notebook.ipynb)" in json.loads(lab("/api/contents/README.md"))["content"]
        assert json.loads(lab(f"/api/contents/results/{name}/notebook.ipynb?content=0"))["type"] == "notebook"


def test_it_asks_nobody_for_news_updates_or_a_build(lab):
    page = lab("/lab")
    config = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL).group(1))
    assert config["news"] == {"disabled": True}
    assert config["buildAvailable"] is False and config["buildCheck"] is False
    assert config["extensionManager"]["can_install"] is False
    assert json.loads(lab("/lab/api/news"))["news"] == []
    assert json.loads(lab("/lab/api/update"))["notification"] is None


def test_the_shipped_settings_are_its_defaults(lab):
    def defaults(plugin: str) -> dict:
        answer = json.loads(lab(f"/lab/api/settings/@jupyterlab/{plugin}"))
        return {key: each.get("default") for key, each in answer["schema"]["properties"].items()}

    notices = defaults("apputils-extension:notification")
    assert (notices["fetchNews"], notices["checkForUpdates"]) == ("false", False)
    assert defaults("docmanager-extension:plugin")["defaultViewers"] == {"markdown": "Markdown Preview"}
