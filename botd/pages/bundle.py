"""The one file of somebody else's that the page loads: DataTables, as the itables package ships it.

itables/html/dt_bundle.js (itables 2.9.1, MIT) is one ES module with jQuery 4.0, DataTables 2.3.8 and its extensions.
"""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from botd.errors import ConfigError

PACKAGE = "itables"


def bundle_file() -> Path:
    """Where the file is installed. Raises ConfigError when it is not."""
    return Path(str(_installed().locate_file(f"{PACKAGE}/html/dt_bundle.js")))


def bundle_url() -> str:
    """Its path on this server. The version stands in it, so that a browser may keep the file for good.

    Raises ConfigError when the file is not installed.
    """
    return f"/lib/{PACKAGE}-{_installed().version}/dt_bundle.js"


def _installed() -> Distribution:
    """The package, found and not imported: the server needs nothing of it but the file."""
    try:
        return distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise ConfigError(f"the package {PACKAGE} is not installed; install botd with its dependencies") from error
