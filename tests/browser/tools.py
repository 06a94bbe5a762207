"""What the browser tests need of the machine: Chromium with its driver, npm for axe-core; installed where it can be."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FOLDER = Path(__file__).parent
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable")
PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver", "npm": "npm"}
"""Debian packages by the program that is looked for."""
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (360, 1440)
SCRIPT_TIMEOUT_S = 120
"""For axe-core, which looks at the contrast of every text."""


def install() -> None:
    """Install what is missing; raises RuntimeError with one line that says what, and how."""
    missing = [name for name in PACKAGES if _found(name) is None]
    packages = [PACKAGES[name] for name in missing]
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if missing and os.geteuid() == 0 and platform.freedesktop_os_release().get("ID") == "debian":
        for step in (["apt-get", "update", "--quiet"], command):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(step, env=environment, capture_output=True, check=False)
    if still := [name for name in missing if _found(name) is None]:
        raise RuntimeError(f"the browser tests need {', '.join(still)}; on Debian: {' '.join(command)}")
    wanted = json.loads((FOLDER / "package.json").read_text("utf-8"))["devDependencies"]["axe-core"]
    own = AXE.with_name("package.json")
    if not own.is_file() or json.loads(own.read_text("utf-8"))["version"] != wanted:
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"npm ci in {FOLDER}: {done.stderr.strip().splitlines()[-1:]}")


def _found(program: str) -> str | None:
    names = BROWSERS if program == "chromium" else (program,)
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    """A headless Chromium."""

    def __init__(self) -> None:
        """Start it."""
        options = webdriver.ChromeOptions()
        options.binary_location = _found("chromium") or ""
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(_found("chromedriver")))
        self.driver.set_script_timeout(SCRIPT_TIMEOUT_S)

    def open(self, page: Path, *, width: int = 1440, dark: bool = False, fragment: str = "") -> None:
        """Show a file in a window of this width."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get("about:blank")
        self._log("browser")
        self._log("performance")
        self.driver.get(page.as_uri() + fragment)

    def _log(self, kind: str) -> list[dict[str, Any]]:
        """What the browser has logged since it was last asked for; the driver forgets it."""
        entries: list[dict[str, Any]] = self.driver.execute("getLog", {"type": kind})["value"]
        return entries

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the script gives
        """Run JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def errors(self) -> list[str]:
        """What the page wrote to the console since it was opened."""
        return [entry["message"] for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened, without the page itself."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        sent = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        own = self.driver.current_url.partition("#")[0]
        # The browser's own buttons are images in data: addresses, for which nothing is asked.
        return [url for url in sent if url.partition("#")[0] != own and not url.startswith("data:")]

    def faults(self) -> list[str]:
        """Serious accessibility faults that axe-core finds, one line each."""
        self.run(AXE.read_text("utf-8"))
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations))"
        )
        return [
            f"{rule['id']}: {node['html'][:160]}: {node['failureSummary']}"
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"][:3]
        ]

    def close(self) -> None:
        """End it."""
        self.driver.quit()
