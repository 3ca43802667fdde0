"""The roles file: read whole, or refused with the table, the key and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from botd.access.roles import Role, parse_roles
from botd.access.windows import Window
from botd.acting.limits import Breaker, Caps, Storm
from botd.errors import ConfigError

SAMPLE = Path(__file__).parents[2] / "docs" / "deploy" / "roles.toml"


def test_the_sample_is_a_roles_file() -> None:
    roles = parse_roles(SAMPLE.read_text(encoding="utf-8"), str(SAMPLE))
    assert [role.name for role in roles.roles] == ["student", "student-repair", "admin"]
    assert roles.windows[0] == Window(opens="20:00", closes="07:00", zone="America/Los_Angeles")
    assert roles.windows[1].deny
    assert roles.protected == "login[00-03],fs*"


def test_the_sample_says_what_the_defaults_are() -> None:
    roles = parse_roles(SAMPLE.read_text(encoding="utf-8"))
    assert (roles.caps, roles.breaker, roles.storm) == (Caps(), Breaker(), Storm())


def test_a_file_without_roles_gives_nothing() -> None:
    assert parse_roles(END).roles == ()


def test_a_file_that_was_cut_is_refused() -> None:
    whole = SAMPLE.read_text(encoding="utf-8").rstrip()
    for cut in range(0, len(whole), 3):
        with pytest.raises(ConfigError):
            parse_roles(whole[:cut])


def test_a_role_takes_the_proofs_of_the_action_unless_it_names_its_own() -> None:
    assert Role().proofs("drain") == ("otp", "ssh", "munge")
    assert Role().proofs("power-cycle") == ("otp", "ssh")
    assert Role().proofs("of-tomorrow") == ("otp", "ssh")
    assert Role(proof=("ssh",)).proofs("drain") == ("ssh",)


END = '[protected]\nnodes = ""\n'
ROLE = '[[role]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[role]", "it is not TOML: "),
        ("x = " + "[" * 5000, "it is not TOML: "),
        ("[cap]\n", 'unknown table "cap"; did you mean "caps"?'),
        ('[role]\nname = "a"', "write [[role]] with two brackets"),
        ("", "end the file with the table [protected]"),
        (ROLE + "[protected]", "end the file with the table [protected]"),
        (END + ROLE, "end the file with the table [protected]"),
        ("[[role]]\n", '[[role]] 1 "" name: give each role a name'),
        (ROLE + ROLE, '[[role]] 2 "a" name: give each role a name of its own'),
        (ROLE + 'action = ["drain"]', 'unknown key "action" in [[role]] 1 "a"; did you mean "actions"?'),
        (ROLE + 'actions = ["drian"]\nnodes = "all"', '[[role]] 1 "a" actions: unknown "drian"; did you mean "drain"?'),
        (ROLE + 'when = ["out-of-servise"]', 'when: unknown "out-of-servise"; did you mean "out-of-service"?'),
        (ROLE + 'when = ["hour < 8"]', 'when: unknown "hour < 8"; there are out-of-service, silent'),
        (ROLE + 'proof = ["password"]', 'proof: unknown "password"; there are otp, ssh, munge'),
        (ROLE + 'may = ["notes"]', 'may: unknown "notes"; did you mean "note"?'),
        (ROLE + 'approve_by = "b"', 'approve_by: unknown "b"'),
        (ROLE + 'actions = ["*"]', 'nodes: say where its actions may be done, or "all"'),
        (ROLE + 'actions = "*"', "actions must be a list"),
        (ROLE + "users = [7]", "users must be a list of texts"),
        (ROLE + 'nodes = "n[1-"', '[[role]] 1 "a" nodes: '),
        (ROLE + 'not_nodes = "a/"', '[[role]] 1 "a" not_nodes: '),
        (ROLE + "per_hour = -1", "per_hour must be a whole number from 0 on"),
        (ROLE + "per_hour = 1.5", "per_hour must be a whole number"),
        (ROLE + "per_day = true", "per_day must be a whole number"),
        (ROLE + 'when = ["in-window"]', "in-window needs a [[window]]"),
        (ROLE + 'when = ["in-window"]\n[[window]]\ndeny = true', "in-window needs a [[window]]"),
        ('[[window]]\nopens = "08:00"', 'unknown key "opens" in [[window]] 1; write from and to'),
        ('[[window]]\nfrom = "8"', "[[window]] 1 from: write a time of day"),
        ('[caps]\nhard_per_hour = "lots"', "[caps] hard_per_hour: cannot read"),
        ("[caps]\nat_once = -1", "[caps] at_once must be"),
        ('[breaker]\nhard_in_60min = "0"', "[breaker] hard_in_60min: cannot read"),
        ("[storm]\ngroup_least = -3", "[storm] group_least must be"),
        ('[protected]\nnodes = "all"', "[protected] nodes: "),
        ('[protected]\nnode = "fs*"', 'unknown key "node" in [protected]; did you mean "nodes"?'),
        ("protected = 7", "[protected] must be a table"),
        ("role = 7", "write [[role]]"),
        ("role = [7]", "[[role]] 1 must be a table"),
        ("# " + "x" * 1_000_001, "more than 1,000,000 characters"),
        ("".join(f'[[role]]\nname = "{i}"\n' for i in range(201)), "more than 200 roles"),
    ],
)
def test_a_file_that_is_wrong_anywhere_is_refused_whole(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"^the roles file /etc/botd/roles\.toml: ") as caught:
        parse_roles(text, "/etc/botd/roles.toml")
    assert words in str(caught.value)
