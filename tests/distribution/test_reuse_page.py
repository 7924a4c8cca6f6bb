"""What the pages tell other repositories to install and to use is what there is."""

import json
import re
from pathlib import Path

import pytest

from distribution import ROOT
from distribution.public import public_members
from lambda_src.core.contract import RELEASE

EXAMPLE = ROOT / "examples" / "push-notifications"
REUSE = ROOT / "docs" / "reuse.md"
PAGES = [REUSE, EXAMPLE / "README.md"]
CODE = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tools_are_those_of_the_tests(page: Path) -> None:
    """The CDK's command line and the embedded AWS have the versions that the tests run with."""
    cdk = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    embedded = re.findall(r"^ministack==\S+", (ROOT / "local/requirements.txt").read_text(), re.M)
    told = re.findall(r"aws-cdk@[\d.]+|ministack==[\d.]+", page.read_text("utf-8"))
    assert {f"aws-cdk@{cdk}", *embedded} == set(told)


def test_the_example_asks_for_this_release() -> None:
    """The example's requirements name the version that is built here."""
    texts = [path.read_text("utf-8") for path in sorted(EXAMPLE.glob("requirements*.txt"))]
    named = [re.findall(r"ai-multi-comms-channels\S*==([\d.]+)", text) for text in texts]
    assert [[RELEASE], [RELEASE]] == named


def test_the_code_on_the_page_uses_public_names() -> None:
    """Each class or function in the page's examples is one that the public modules list."""
    public = {path.rpartition(".")[2] for path, _ in public_members()}
    code = "\n".join(text for _, text in CODE.findall(REUSE.read_text("utf-8")))
    called = set(re.findall(r"(?<![\w.])([A-Za-z_]\w*)\(", code))
    own = {"batch_handler", "lambda_handler", "test_the_channel_conforms", "list", "check"}
    assert set() == called - public - own
    assert {"ChannelStack", "put_together", "World"} <= called
