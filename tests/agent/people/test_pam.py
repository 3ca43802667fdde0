"""Passwords that a real PAM knows: its services and users in a mount namespace of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from botd.agent.people.pam import Pam
from botd.agent.people.pam_child import YES
from botd.errors import ProofRefused
from tests.agent.people.parts import PASSWORD, START, hall
from tests.conftest import leave_out, need_program

SERVICE = "auth required pam_unix.so\naccount required pam_unix.so\n"
ASK = """
import json, sys
from botd.agent.people.pam import Pam
times = {"hangs": 1.0}
asked = json.load(sys.stdin)
print(json.dumps([Pam(service, times.get(service, 60.0)).fits(login, password) for service, login, password in asked]))
"""
QUESTIONS = [
    ("botd-test", "pamela", "correct horse battery", True),
    ("botd-test", "pamela", "wrong", False),
    ("botd-test", "pamela", "", False),
    ("botd-test", "pamela", "correct horse battery\0x", False),
    ("botd-test", "expired", "correct horse battery", False),
    ("botd-test", "nopassword", "", False),
    ("botd-test", "nobody-of-that-name", "x", False),
    ("no-such-service", "pamela", "correct horse battery", False),
    ("hangs", "pamela", "correct horse battery", False),
]


def test_a_real_pam_takes_a_right_password_of_a_good_account_and_nothing_else(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        leave_out("a mount namespace needs root: run `make test` as root")
    openssl, unshare = need_program("openssl"), need_program("unshare")
    hashed = subprocess.check_output([openssl, "passwd", "-6", "correct horse battery"], text=True).strip()
    users = ("pamela", "expired", "nopassword")
    passwd = "".join(f"{name}:x:{4000 + i}:4000::/:/bin/sh\n" for i, name in enumerate(users))
    shadow = (
        f"pamela:{hashed}:19000:0:99999:7:::\nexpired:{hashed}:19000:0:99999:7::1:\nnopassword::19000:0:99999:7:::\n"
    )
    (tmp_path / "pam.d").mkdir()
    (tmp_path / "pam.d" / "botd-test").write_text(SERVICE)
    (tmp_path / "pam.d" / "hangs").write_text(
        "auth required pam_exec.so /bin/sleep 300\naccount required pam_permit.so\n"
    )
    (tmp_path / "pam.d" / "other").write_text("auth required pam_deny.so\naccount required pam_deny.so\n")
    (tmp_path / "passwd").write_text(Path("/etc/passwd").read_text() + passwd)
    (tmp_path / "shadow").write_text(Path("/etc/shadow").read_text() + shadow)
    (tmp_path / "shadow").chmod(0o640)
    mounts = "; ".join(f"mount --bind {tmp_path}/{name} /etc/{name}" for name in ("pam.d", "passwd", "shadow"))
    script = f'set -e; {mounts}; exec "$@"'
    asked = [question[:3] for question in QUESTIONS]
    words = [unshare, "-m", "sh", "-c", script, "sh", sys.executable, "-c", ASK]
    done = subprocess.run(words, input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(done.stdout) == [question[3] for question in QUESTIONS]


@pytest.mark.parametrize(
    ("program", "fits"),
    [
        (f"import sys; sys.exit({YES})", True),
        ("import os; os._exit(0)", False),  # a module that ends its process
        ("import os; os.abort()", False),
        ("import json, sys; sys.exit(json.load(sys.stdin)[2])", False),
    ],
)
def test_a_module_that_ends_or_breaks_its_process_lets_nobody_in(tmp_path: Path, program: str, fits: bool) -> None:
    (tmp_path / "child.py").write_text(program)
    assert Pam("any", 60.0, str(tmp_path / "child.py")).fits("anna", "secret word") is fits


def test_a_module_that_hangs_is_given_up_and_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "child.py").write_text("import signal; signal.pause()")
    assert Pam("any", 0.2, str(tmp_path / "child.py")).fits("anna", "secret word") is False
    assert "pam does not answer service=any login=anna" in caplog.text
    assert "secret word" not in caplog.text


class Told(Pam):
    """A PAM that knows one password, and who asked it."""

    def __init__(self) -> None:
        super().__init__("unused")
        self.asked: list[str] = []

    def fits(self, login: str, password: str) -> bool:
        self.asked.append(login)
        return password == "known to pam"


def test_pam_is_asked_for_who_is_in_the_ledger_and_has_no_password_there(tmp_path: Path) -> None:
    pam = Told()
    with hall(tmp_path, pam) as here:
        here.person("anna")
        here.register.add("bea", [], "kmf")
        here.enrol("bea")
        here.later(seconds=30)
        assert here.log_in("bea", "known to pam", here.code("bea"), "")
        assert here.log_in("anna", PASSWORD, here.code("anna"), "")
        for login, password in (("anna", "known to pam"), ("mallory", "known to pam"), ("bea", PASSWORD)):
            with pytest.raises(ProofRefused):
                here.log_in(login, password, here.code("anna", 1), "")
        assert pam.asked == ["bea", "bea"]
        assert here.now > START
