"""Whether an action may be done now: by a role, by every guard, and by what was spent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from botd.access.judge import Person, Press, Spent, Verdict, judge, why_in_doubt
from botd.acting.actions import Weight
from botd.acting.breaker import BAD, LAST, Ending, why_open
from botd.acting.caps import LONGEST, Cluster, gauges, is_free, why_capped
from botd.acting.cycles import LONGEST as EXPLAINS
from botd.acting.cycles import Cycle, Sending, by_people, cycles_text, read_cycles, united
from botd.acting.guards import GUARDS, Look, Refusal, Scene, When, refusals
from botd.acting.halts import why_no_clock, why_off, why_stopped
from botd.acting.moves import State
from botd.acting.reach import why_elsewhere
from botd.acting.storm import why_storm
from botd.acting.words import reason_of
from botd.agent.actions.kit import Kit, Refused, Subject
from botd.agent.actions.known import human_reason
from botd.documents import iso
from botd.inventory.networks import networks_of
from botd.ledger import Transaction
from botd.ledger.actions import Budget, Said, Stored
from botd.ledger.actions import Spent as Spend

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

ENDS = (State.SUCCEEDED, State.FAILED, State.UNKNOWN)


class Judge:
    """Judges by what the agent has. Used from any thread."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._networks = networks_of(kit.config)

    # ---- the role ----

    def allow(self, db: Transaction, subject: Subject, look: Look) -> Verdict:
        """By which role it is allowed. Raises Refused where no role allows it."""
        since = self._kit.clock() - LONGEST
        spent = self._kit.ledger.actions.spent(db, since, is_dry=subject.is_dry)
        return self._allow(db, subject, look, spent, self._kit.ledger.actions.locked(db))

    def _allow(
        self, db: Transaction, subject: Subject, look: Look, spent: Sequence[Spend], locked: Sequence[Stored]
    ) -> Verdict:
        state = self._kit.roles()
        if state.fault:
            raise Refused("roles-unreadable", f"nothing is done by the roles file now: {state.fault}; mend it")
        person, places, now = self._kit.people.person(subject.login), self._kit.places(), self._kit.clock()
        done = self._kit.ledger.actions.on(db, subject.node)
        press = Press(
            subject.action.name,
            subject.node,
            now,
            self._kit.known.situation(subject.node, look, subject.login, done),
            subject.proof,
            spent_by_role(spent, locked, subject, now),
        )
        verdict = judge(state.roles, person, press, places)
        if not verdict.is_yes:
            unspent = judge(state.roles, person, replace(press, spent={}), places)
            raise Refused("cap" if unspent.is_yes else verdict.answer, verdict.words)
        return verdict

    def person(self, login: str) -> Person:
        """Who that is. Raises NotAllowed for one who is locked."""
        return self._kit.people.person(login)

    # ---- the guards ----

    def refusal(
        self, db: Transaction, subject: Subject, look: Look, when: When, first: Look | None = None
    ) -> Refusal | None:
        """The first guard that stands, None where the action may be done. `first` is the look of the press."""
        scene = self._scene(db, subject, look, when, first)
        # A dry run drains nothing, and is judged as if it had.
        guards = [guard for guard in GUARDS if guard.name != "drained"] if subject.is_dry else None
        return next(iter(refusals(scene, self._kit.clock(), when, guards)), None)

    def _scene(self, db: Transaction, subject: Subject, look: Look, when: When, first: Look | None) -> Scene:
        kit, ledger, node = self._kit, self._kit.ledger, subject.node
        state, is_hard = kit.roles(), subject.action.weight is Weight.HARD
        holder, unseen = ledger.actions.holder(db, node), ledger.actions.unseen(db, node)
        return Scene(
            action=subject.action.name,
            node=node,
            look=look,
            off=why_off(kit.config.actions.mode, is_dry=subject.is_dry),
            stopped=self.why_stopped(db),
            ledger=kit.why_no_ledger(),
            roles=state.fault or why_in_doubt(state.roles, kit.places()),
            clock=why_no_clock(kit.config.actions.clock, kit.is_synchronised()),
            has_code="otp" in subject.proof,
            locked=_held(holder) if holder and holder.id != subject.id else "",
            unseen=_may_have_happened(unseen) if unseen else "",
            breaker=ledger.switches.breaker(db),
            storm=self.why_storm() if is_hard else "",
            spent=self._why_spent(db, subject) if when is When.PRESS else "",
            human_reason=human_reason(look.slurm, subject.login, ledger.actions.on(db, node)),
            elsewhere=why_elsewhere(self._networks, subject.action, node),
            other_bmc=_other_bmc(ledger.actions.met_other_bmc(db, node)),
            evidence=subject.evidence,
            evidence_now=kit.known.evidence(node, look) if when is When.PRESS else None,
            first=first,
            own_reason=reason_of(subject.action.name, subject.id, subject.login) if is_hard and subject.id else "",
        )

    def halted(self, db: Transaction, subject: Subject) -> Refusal | None:
        """What stops everything at this moment, which is looked at once more where it is written ahead."""
        scene = Scene(
            action=subject.action.name,
            node=subject.node,
            look=Look(),
            off=why_off(self._kit.config.actions.mode, is_dry=subject.is_dry),
            stopped=self.why_stopped(db),
            breaker=self._kit.ledger.switches.breaker(db),
        )
        guards = [guard for guard in GUARDS if guard.name in ("mode", "stop", "breaker")]
        return next(iter(refusals(scene, self._kit.clock(), When.REREAD, guards)), None)

    def why_stopped(self, db: Transaction) -> str:
        """Who has stopped everything; empty where nobody has."""
        return why_stopped(self._kit.ledger.switches.stopped(db), self._kit.stop_file_is_there())

    def why_storm(self) -> str:
        """Why so many nodes fell ill at once that it is one fault; empty where they did not."""
        inventory = self._kit.known.inventory
        groups = inventory.partitions() if inventory.as_of else None
        count = len(inventory.names()) if inventory.as_of else None
        return why_storm(self._kit.roles().roles.storm, count, self._kit.known.ill_since(), groups, self._kit.clock())

    # ---- how much ----

    def _why_spent(self, db: Transaction, subject: Subject) -> str:
        actions = self._kit.ledger.actions
        spent = actions.spent(db, self._kit.clock() - LONGEST, is_dry=subject.is_dry)
        return self._why_capped(subject, spent, actions.locked(db), self._budget("", subject, spent))

    def budget(self, db: Transaction, verdict: Verdict, subject: Subject) -> Budget:
        """What the action spends, under which role."""
        spent = self._kit.ledger.actions.spent(db, self._kit.clock() - LONGEST, is_dry=subject.is_dry)
        return self._budget(verdict.role.name if verdict.role else "", subject, spent)

    def _budget(self, role: str, subject: Subject, spent: Sequence[Spend]) -> Budget:
        incident = self._kit.known.incident(subject.node)
        return Budget(role, incident, is_free(subject.action.name, subject.node, incident, spent))

    def why_not(
        self,
        db: Transaction,
        subject: Subject,
        look: Look,
        budget: Budget,
        spent: Sequence[Spend],
        locked: list[Stored],
    ) -> Said | None:
        """Why nothing more is spent, within the transaction that would spend it; None where it is."""
        if why := self._why_capped(subject, spent, locked, budget):
            return Said("cap", f"{subject.node}: the caps: {why}; wait, or ask for another cap")
        try:
            self._allow(db, subject, look, spent, locked)
        except Refused as refused:
            return Said(refused.code, str(refused))
        return None

    def _why_capped(self, subject: Subject, spent: Sequence[Spend], locked: Iterable[Stored], budget: Budget) -> str:
        inventory, caps = self._kit.known.inventory, self._kit.roles().roles.caps
        under_way = [each.weight for each in locked if each.is_dry == subject.is_dry and each.id != subject.id]
        groups = self._groups(caps.groups, subject.node)
        cluster = Cluster(len(inventory.names()) if inventory.as_of else None, groups, under_way)
        weight, node = subject.action.weight, subject.node
        return why_capped(gauges(caps, weight, node, spent, cluster, self._kit.clock(), free=budget.is_free))

    def _groups(self, named: Sequence[str], node: str) -> dict[str, Collection[str]] | None:
        """The groups of the node that caps are counted by; None where one of them is not there, or not believed."""
        places = self._kit.places()
        inventory = places.inventory
        believed = [name for name in named if name in inventory.groups and name not in places.faults]
        if not inventory.as_of or believed != list(named) or not all(inventory.groups[name].nodes for name in named):
            return None
        found = {name: inventory.groups[name].nodes for name in named} if named else inventory.partitions()
        return {name: nodes for name, nodes in found.items() if node in nodes}

    # ---- the breaker ----

    def open_breaker(self, db: Transaction) -> str:
        """Opens the breaker where that is due; why it is open, empty where it is closed."""
        switches = self._kit.ledger.switches
        if not switches.breaker(db) and (why := self._why_open(db)):
            switches.open_breaker(db, why, self._kit.clock())
        return switches.breaker(db)

    def see_cycles(self, db: Transaction) -> None:
        """Keeps the cycles that were seen, also for an agent that comes after this one."""
        self._kit.ledger.switches.see_cycles(db, cycles_text(self._cycles(db)))

    def _cycles(self, db: Transaction) -> tuple[Cycle, ...]:
        return united(read_cycles(self._kit.ledger.switches.cycles(db)), self._kit.cycles(), self._kit.clock())

    def _why_open(self, db: Transaction) -> str:
        now, actions = self._kit.clock(), self._kit.ledger.actions
        inventory, since = self._kit.known.inventory, self._kit.ledger.switches.closed_at(db)
        sent = actions.sent(db, now - HOUR - EXPLAINS)
        hard = [Sending(each.node, each.sent_at) for each in sent if each.weight == Weight.HARD and each.sent_at]
        people = by_people(self._cycles(db), hard)
        ends = [Ending(each.changed_at, each.state in BAD) for each in actions.ended(db, ENDS, LAST)]
        # Where no node list was read yet nothing can be judged, and nothing is sent; that opens no breaker.
        nodes = len(inventory.names()) or 1
        limits, own = self._kit.roles().roles.breaker, [sending.at for sending in hard]
        return why_open(limits, nodes, own, ends, now, since, people)


def spent_by_role(
    spent: Iterable[Spend], locked: Iterable[Stored], subject: Subject, now: datetime
) -> dict[str, Spent]:
    """What this person has spent under each role, this action itself not counted."""
    held = {each.id for each in locked}
    mine = [each for each in spent if each.login == subject.login and each.id != subject.id]
    return {
        role: Spent(
            hour=sum(each.role == role and each.at > now - HOUR for each in mine),
            day=sum(each.role == role and each.at > now - DAY for each in mine),
            now=sum(each.role == role and each.id in held for each in mine),
        )
        for role in {each.role for each in mine}
    }


def _held(holder: Stored) -> str:
    return f"{holder.login} has {holder.action} {holder.id} under way since {iso(holder.asked_at)}"


def _may_have_happened(stored: Stored) -> str:
    at = f" at {iso(stored.sent_at)}" if stored.sent_at else ""
    return f"{stored.action} {stored.id} may have happened{at}"


def _other_bmc(stored: Stored | None) -> str:
    if stored is None:
        return ""
    return f"another BMC than last time answered {stored.action} {stored.id} at {iso(stored.changed_at)}"
