"""A bare Debian of the release that this machine has, made by debootstrap, and programs in it without a network."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

NEEDED = ("debootstrap", "dpkg-deb", "unshare", "/usr/bin/python3.11")

ON_DEBIAN = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, NEEDED)), reason="only as root with debootstrap on Debian 12"
)

APT = """\
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Get::Assume-Yes "true";
"""
"""Whoever installs says yes, and takes no more than is needed. The user of the sandbox may not read /tmp."""

UP = "ip link set lo up && ip address add 10.0.0.5/32 dev lo && exec chroot "
"""10.0.0.5 is the machine of docs/deployment.rst. With 127.0.0.1 alone AI_ADDRCONFIG of glibc finds no address."""


class Debian:
    """A Debian in a folder. What is run in it has processes and mounts of its own, which end with it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def new(cls, root: Path, release: str = "bookworm") -> Debian:
        """A bare one, from the archive."""
        settings = root / "etc" / "dpkg" / "dpkg.cfg.d"
        settings.mkdir(parents=True)
        (settings / "hasty").write_text("force-unsafe-io\n")  # nobody needs it after a power cut
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", release, str(root)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        root.chmod(0o755)  # it is the root of users too, and debootstrap leaves the mode of a folder that is there
        (root / "usr" / "sbin" / "policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr" / "sbin" / "policy-rc.d").chmod(0o755)
        (root / "etc" / "apt" / "apt.conf.d" / "yes").write_text(APT)
        return cls(root)

    def copy(self, root: Path) -> Debian:
        """Another one that begins as this one is."""
        subprocess.run(["cp", "-a", "--reflink=auto", f"{self.root}/.", root], check=True)
        return Debian(root)

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
        return self.run(f"apt-get install -q {options} {names}", network=True)

    def started(self, unit: str, folder: str = "lib/systemd/system") -> str:
        """Shell lines that start a unit of a folder in the background as systemd would, its walls left out."""
        parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string((self.root / folder / unit).read_text(encoding="utf-8"))
        service = parser["Service"]
        user, group = service["User"], service["Group"]
        as_user = f"setpriv --reuid={user} --regid={group} --clear-groups env {service['Environment']}"
        lines = ["cd /", f"umask {service['UMask']}"]
        for kind, above in (("Runtime", "/run"), ("State", "/var/lib"), ("Logs", "/var/log")):
            if place := service.get(f"{kind}Directory"):
                mode = service[f"{kind}DirectoryMode"]
                lines.append(f"install -d -o {user} -g {group} -m {mode} {above}/{place}")
        lines.append(f"{as_user} {service['ExecStartPre']}")
        lines.append(f"{as_user} {service['ExecStart']} 2>/tmp/{unit}.log & {user.replace('-', '_')}=$!")
        return "\n".join(lines)
