"""Slurm's accounting in the lab: mariadbd on a unix socket of its own, and slurmdbd beside slurmctld."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from tests.lab import net
from tests.lab.proc import LabError, Proc, detach, wait_until

PORT = 6819
SYSTEM_TABLES = Path("/usr/share/mysql/mysql_system_tables.sql")

_SLURMDBD_CONF = """\
DbdHost={name}
DbdAddr={address}
DbdPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/run/munge
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
LogFile={directory}/log/slurmdbd.log
PidFile={directory}/run/slurmdbd.pid
"""

# Small and forgetful: what it holds ends with the lab.
_MARIADB_OPTIONS = (
    *("--no-defaults", "--user=root", "--skip-networking", "--skip-grant-tables", "--performance-schema=0"),
    *("--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0"),
    *("--innodb-doublewrite=0", "--aria-log-file-size=8M"),
)


@dataclass(frozen=True)
class Accounting:
    """mariadbd and slurmdbd of the lab in `directory`; all state is in files, as a node's is."""

    directory: Path

    @property
    def home(self) -> Path:
        """The directory of the database, its socket in it: for root alone, as nothing asks for a password."""
        return self.directory / "state" / "mariadb"

    @property
    def socket(self) -> Path:
        """Where mariadbd listens, and nowhere else."""
        return self.home / "socket"

    def prepare(self) -> None:
        """Write slurmdbd.conf, which stands beside slurm.conf, and what mariadbd does first."""
        conf = self.directory / "etc" / "slurmdbd.conf"
        conf.touch(mode=0o600)  # slurmdbd refuses one that others may read
        text = _SLURMDBD_CONF.format(
            directory=self.directory, name=net.CONTROLLER_NAME, address=net.CONTROLLER, port=PORT
        )
        conf.write_text(text)
        (self.home / "data").mkdir(mode=0o700, parents=True)
        self.home.chmod(0o700)
        (self.home / "first.sql").write_text("\n".join(["CREATE DATABASE mysql;", "USE mysql;", _table("proc"), ""]))

    def start_database(self) -> None:
        """Start mariadbd on an empty directory; it makes its files in 0.2 s."""
        places = {"datadir": "data", "socket": "socket", "pid-file": "pid", "init-file": "first.sql"}
        options = [*_MARIADB_OPTIONS, *(f"--{option}={self.home / file}" for option, file in places.items())]
        mariadbd = detach(["mariadbd", *options], self.directory, "mariadbd.log")
        wait_until("mariadbd (see log/mariadbd.log)", lambda: self.socket.is_socket() or not mariadbd.is_alive)
        mariadbd.save(self._record("mariadbd"))
        if not mariadbd.is_alive:
            raise LabError("mariadbd ended at once: see log/mariadbd.log")

    def start_slurmdbd(self, netns: Path) -> None:
        """Start slurmdbd in the network of slurmctld and wait until it listens (it makes its tables first)."""
        # libmariadb takes the socket of "localhost" from here; slurmdbd.conf has no word for it (22.05).
        environment = ["env", f"MYSQL_UNIX_PORT={self.socket}", f"SLURM_CONF={self.directory}/etc/slurm.conf"]
        script = f"hostname {net.CONTROLLER_NAME} && exec slurmdbd -D"
        argv = net.in_netns(netns, ["unshare", "--uts", *environment, "sh", "-c", script])
        slurmdbd = detach(argv, self.directory, "slurmdbd-output.log")
        slurmdbd.save(self._record("slurmdbd"))
        wait_until("slurmdbd (see log/slurmdbd.log)", lambda: _listens() or not slurmdbd.is_alive)
        if not slurmdbd.is_alive:
            raise LabError("slurmdbd ended at once: see log/slurmdbd.log")

    def stop_slurmdbd(self) -> None:
        """End slurmdbd: connections to it are refused."""
        if process := self._process("slurmdbd"):
            process.stop(signal.SIGTERM)

    def hang_slurmdbd(self) -> None:
        """Stop slurmdbd in its tracks: it accepts and never answers."""
        self._send("slurmdbd", signal.SIGSTOP)

    def resume_slurmdbd(self) -> None:
        """Let a hung slurmdbd go on."""
        self._send("slurmdbd", signal.SIGCONT)

    def hang_database(self) -> None:
        """Stop mariadbd in its tracks: slurmdbd answers as far as it can without it."""
        self._send("mariadbd", signal.SIGSTOP)

    def resume_database(self) -> None:
        """Let a hung mariadbd go on."""
        self._send("mariadbd", signal.SIGCONT)

    def _record(self, name: str) -> Path:
        return self.directory / "run" / f"{name}.proc"

    def _process(self, name: str) -> Proc | None:
        return Proc.load(self._record(name))

    def _send(self, name: str, number: int) -> None:
        if process := self._process(name):
            process.send(number)


def _table(name: str) -> str:
    """The statement that makes one of MariaDB's own tables; slurmdbd needs `proc` alone, for a procedure."""
    start = f"CREATE TABLE IF NOT EXISTS {name} "
    for line in SYSTEM_TABLES.read_text().splitlines():
        if line.startswith(start):
            return line
    raise LabError(f"{SYSTEM_TABLES} makes no table {name}: this MariaDB is not one that the lab knows")


def _listens() -> bool:
    try:
        socket.create_connection((net.CONTROLLER, PORT), 1).close()
    except OSError:
        return False
    return True
