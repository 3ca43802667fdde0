"""A bare Debian of the release that this machine has, made by debootstrap, and programs in it without a network."""

from __future__ import annotations

import configparser
import shlex
import subprocess
from pathlib import Path

UP = "ip link set lo up && exec chroot "


class Debian:
    """A Debian in a folder. What is run in it has processes and mounts of its own, which end with it."""

    def __init__(self, root: Path, release: str = "bookworm") -> None:
        self.root = root
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", release, str(root)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        root.chmod(0o755)  # it is the root of users too, and debootstrap leaves the mode of a folder that is there
        (root / "usr" / "sbin" / "policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr" / "sbin" / "policy-rc.d").chmod(0o755)

    def run(self, command: str, *, network: bool = False, status: int = 0) -> str:
        """What a shell command prints, errors too. Only with `network` does it see more than a loopback of its own."""
        spaces = ["--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.root}/proc"]
        inside = [str(self.root), "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        words = [*inside, "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", command]
        start = ["chroot", *words] if network else ["sh", "-c", UP + shlex.join(words)]
        done = subprocess.run(
            ["unshare", *spaces, *([] if network else ["--net"]), *start],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == status, done.stdout[-3000:]
        return done.stdout

    def install(self, *packages: Path, options: str = "") -> str:
        """What apt-get says while it installs these files with all that they depend on."""
        for package in packages:
            (self.root / "tmp" / package.name).write_bytes(package.read_bytes())
        names = " ".join(f"/tmp/{package.name}" for package in packages)
        sandbox = "-o APT::Sandbox::User=root"
        words = f"apt-get install -y -q --no-install-recommends {sandbox} {options} {names}"
        return self.run(words, network=True)

    def started(self, unit: str) -> str:
        """Shell lines that start an installed unit in the background as systemd would, its walls left out."""
        parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string((self.root / "lib" / "systemd" / "system" / unit).read_text(encoding="utf-8"))
        service = parser["Service"]
        user, group = service["User"], service["Group"]
        as_user = f"setpriv --reuid={user} --regid={group} --clear-groups env {service['Environment']}"
        lines = [f"umask {service['UMask']}"]
        if place := service.get("RuntimeDirectory"):
            lines.append(f"install -d -o {user} -g {group} -m {service['RuntimeDirectoryMode']} /run/{place}")
        lines.append(f"{as_user} {service['ExecStartPre']}")
        lines.append(f"{as_user} {service['ExecStart']} 2>/tmp/{unit}.log & {user.replace('-', '_')}=$!")
        return "\n".join(lines)
