"""The page names the files it is made of."""

from __future__ import annotations

import re
from pathlib import Path

from stainbridge.viewer.routes.page import STATIC


def test_every_module_is_asked_for_at_once() -> None:
    page = Path(STATIC, "index.html").read_text(encoding="utf-8")
    modules = {path.name for path in Path(STATIC).glob("*.js")} - {"main.js"}
    assert set(re.findall(r'rel="modulepreload" href="/static/([^"]+)"', page)) == modules
