"""Nodes by the thousand: one OpenSSH server on every loopback address of the room, where each address is a node.

Logins, encryption and shells are real. What the checks themselves would cost a node is left out, since here all nodes
share two cores and one /proc with the client: the script of the remote checks is run once, and what it printed comes
back from every node, each frame by itself as a real node writes it. Any other command is run as it stands.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from botd.answers import Output, Source
from botd.checks import command_for, site_checks
from botd.config import parse_config
from botd.settings import Config
from botd.transport.ssh.script import COMMAND, Fragment, FrameReader, build_script
from tests.transport.sshd import Sshd, make_key, running_sshd

# Real nodes have a MaxStartups each; this sshd stands for all of them.
OPTIONS = """\
MaxStartups 20000
PerSourceMaxStartups none
LogLevel ERROR
UseDNS no
ForceCommand exec /bin/sh {folder}/answer
"""

SHELL_ACCOUNT = "root:x:0:0:root:{home}:/bin/sh\n"
"""The account that logs in: root of this room, with a shell that reads no profile."""

# The nonce is the last word but one of the line that only bash runs; dash reads byte by byte, so no further than that.
ANSWER = """\
[ "$SSH_ORIGINAL_COMMAND" = {command} ] || exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
while read -r line; do
  case $line in *'$BASH_VERSION'*) line=${{line%% \\"\\$1\\"*}} nonce=${{line##* }}; break ;; esac
done
{frames}"""

FRAME = "printf '\\036%s %s\\n%s\\n%s\\037%s\\n' $nonce {name} {text} {status} $nonce\n"


@dataclass(frozen=True)
class Nodes:
    """Nodes that answer at `addresses`, and how to log in to them."""

    addresses: tuple[str, ...]
    sshd: Sshd
    folder: Path

    @property
    def config(self) -> Config:
        """botd's configuration for them: everything is as it comes, but for what says where they are."""
        ssh = {"port": self.sshd.port, "key_file": "key", "known_hosts": "known_hosts", "user": "root"}
        return _config({"ssh": ssh}, self.folder)

    def ssh_options(self, *more: str) -> list[str]:
        """The options of ssh(1) that lead to the same nodes, with everything else as ssh has it."""
        options = [
            "-F", "none",
            "-i", f"{self.folder}/key",
            "-p", str(self.sshd.port),
            "-o", f"UserKnownHostsFile={self.folder}/known_hosts",
            "-o", "BatchMode=yes",
        ]  # fmt: skip
        return [*options, *(word for option in more for word in ("-o", option))]


@contextmanager
def running_nodes(addresses: Sequence[str]) -> Iterator[Nodes]:
    """Nodes at these addresses of the room. They are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="botd-bench-") as name:
        folder = Path(name)
        _use_plain_shell(folder)
        (folder / "answer").write_text(answer_script(run_fragments(remote_fragments(_config({}, folder)))))
        key = make_key(folder / "key")
        with running_sshd(folder / "sshd", ["0.0.0.0"], key=key, options=OPTIONS.format(folder=folder)) as sshd:
            sshd.addresses = list(addresses)
            (folder / "known_hosts").write_text(sshd.known_hosts_lines())
            yield Nodes(tuple(addresses), sshd, folder)


def answer_script(outputs: Iterable[tuple[str, Output]]) -> str:
    """A shell script that answers any script of remote checks with these outputs, by the names of the checks."""
    frames = [FRAME.format(name=name, text=quote(output.text), status=output.status or 0) for name, output in outputs]
    return ANSWER.format(command=quote(COMMAND), frames="".join(frames))


def remote_fragments(config: Config) -> list[Fragment]:
    """The fragments of all remote checks, as a sweep sends them."""
    checks = [check for check in site_checks(config).values() if check.source is Source.COMMAND]
    return [Fragment(each.name, command_for(each, "n1"), 0 if each.quick else each.timeout_s) for each in checks]


def run_fragments(fragments: Sequence[Fragment]) -> list[tuple[str, Output]]:
    """What the fragments print on this machine, in the order of their ends."""
    nonce = "0123456789abcdef"
    done = subprocess.run(["/bin/sh", "-s"], input=build_script(nonce, fragments), capture_output=True, check=True)
    return list(FrameReader(nonce).feed(done.stdout))


def _config(document: dict[str, object], folder: Path) -> Config:
    # Without Slurm: a squeue that knows of no job.
    shared = {"slurm": {"squeue": "true"}, "mounts": {"tmp": "/tmp", "run": "/run"}}
    return parse_config({**shared, **document}, path=str(folder / "botd.toml"))


def _use_plain_shell(folder: Path) -> None:
    """Puts another /etc/passwd over that of the machine, in this mount namespace only."""
    lines = Path("/etc/passwd").read_text().splitlines(keepends=True)
    other = [SHELL_ACCOUNT.format(home=folder), *(line for line in lines if not line.startswith("root:"))]
    (folder / "passwd").write_text("".join(other))
    subprocess.run(["mount", "--bind", str(folder / "passwd"), "/etc/passwd"], check=True)
