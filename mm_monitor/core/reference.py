"""Who and what exists: contracts, makers, appointments, accounts, as dense integers.

Indices are append-only: a contract listed at noon gets the next number, and rows decoded before stay true.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mm_monitor.core.share import Share

ALL = "*"
MOST_VIAS = 4096
Via = tuple[str, str, str]  # source, model version, quality


@dataclass(frozen=True, slots=True)
class Contract:
    """One option series (or any instrument). `tick` is int64 10^-8."""

    name: str
    klass: str
    tick: int
    kind: str = ""
    strike: str = ""
    expiry: str = ""
    multiplier: str = ""
    number: int | None = None  # numeric id of the packed format
    flags: str = ""  # words by which a required set may leave it out, sorted


@dataclass(frozen=True, slots=True)
class Appointment:
    """`maker` is appointed to class `klass` (`*` = every class), under `rulebook` ("" = whichever judges)."""

    maker: str
    klass: str
    rulebook: str = ""
    number: int | None = None  # numeric id of the packed format


@dataclass(slots=True)
class Reference:
    """The directory of names. Mutated only by tape records; lookups are plain dicts."""

    contracts: list[Contract] = field(default_factory=list)
    contract_index: dict[str, int] = field(default_factory=dict)
    contract_numbers: dict[int, int] = field(default_factory=dict)
    live: list[bool] = field(default_factory=list)  # False once a contract is removed
    makers: list[str] = field(default_factory=list)
    maker_index: dict[str, int] = field(default_factory=dict)
    maker_numbers: dict[int, int] = field(default_factory=dict)
    appointments: list[Appointment] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)  # account -> maker
    account_numbers: dict[str, int] = field(default_factory=dict)  # account -> from 1 on, for ever
    account_changes: int = 0
    classes: list[str] = field(default_factory=list)
    class_index: dict[str, int] = field(default_factory=dict)
    adjusted: dict[int, list[tuple[int, int]]] = field(
        default_factory=dict
    )  # contract -> (from ts, tick), ascending
    listed: dict[int, int] = field(
        default_factory=dict
    )  # contract -> instant of its listing on the tape
    theo_vias: list[Via] = field(default_factory=lambda: [("", "", "")])
    via_index: dict[Via, int] = field(default_factory=lambda: {("", "", ""): 0})
    version: int = 0  # grows with every change, so that caches know
    share: Share | None = None  # the classes that are judged here; None = every class

    @classmethod
    def of(
        cls,
        contracts: Iterable[Contract],
        appointments: Iterable[Appointment],
        accounts: Iterable[tuple[str, str]] = (),
    ) -> Reference:
        """Build a directory; later rows of the same contract replace earlier ones."""
        reference = cls()
        for contract in contracts:
            reference.add_contract(contract)
        for appointment in appointments:
            reference.appoint(appointment)
        for account, maker in accounts:
            reference.open_account(account, maker)
        return reference

    def add_contract(self, contract: Contract) -> int:
        """List or adjust a contract; returns its index."""
        self.version += 1
        if contract.klass not in self.class_index:
            self.class_index[contract.klass] = len(self.classes)
            self.classes.append(contract.klass)
        index = self.contract_index.get(contract.name)
        if index is None:
            index = len(self.contracts)
            self.contract_index[contract.name] = index
            self.contracts.append(contract)
            self.live.append(True)
        else:
            self.contracts[index] = contract
            self.live[index] = True
        if contract.number is not None:
            self.contract_numbers[contract.number] = index
        return index

    def foresee_tick(self, index: int, ts: int, tick: int) -> None:
        """From `ts` on the contract's tick is another: prices of then are on that grid, whenever they are read."""
        self.version += 1
        steps = self.adjusted.setdefault(index, [(0, self.contracts[index].tick)])
        if (ts, tick) not in steps:
            steps.append((ts, tick))
            steps.sort(key=lambda step: step[0])

    def tick_at(self, index: int, ts: int) -> int:
        """The tick (10^-8) of a contract for a price of instant `ts`."""
        steps = self.adjusted.get(index)
        if steps is None:
            return self.contracts[index].tick
        return next((tick for since, tick in reversed(steps) if since <= ts), steps[0][1])

    def remove_contract(self, name: str) -> None:
        """Delist; its index and name stay known, its obligations end."""
        self.version += 1
        self.live[self.contract_index[name]] = False

    def maker(self, name: str) -> int:
        """Index of a maker, adding the name if it is new."""
        index = self.maker_index.get(name)
        if index is None:
            index = self.maker_index[name] = len(self.makers)
            self.makers.append(name)
        return index

    def appoint(self, appointment: Appointment) -> None:
        """Appoint a maker to a class."""
        self.version += 1
        index = self.maker(appointment.maker)
        if appointment.number is not None:
            self.maker_numbers[appointment.number] = index
        if appointment not in self.appointments:
            self.appointments.append(appointment)

    def is_appointed(self, maker: str, klass: str, rulebook: str = "") -> bool:
        """Is there an appointment of `maker` to exactly `klass` (under `rulebook`, if it is given)?"""
        return any(
            (a.maker, a.klass) == (maker, klass) and (not rulebook or a.rulebook == rulebook)
            for a in self.appointments
        )

    def dismiss(self, maker: str, klass: str, rulebook: str = "") -> None:
        """End the appointments of `maker` to `klass` (under `rulebook`, if it is given)."""
        self.version += 1
        self.appointments = [
            a
            for a in self.appointments
            if (a.maker, a.klass) != (maker, klass) or (rulebook and a.rulebook != rulebook)
        ]

    def open_account(self, account: str, maker: str) -> None:
        """From now on quotes of `account` are the maker's. ValueError for the name of another maker."""
        if account != maker and account in self.maker_index:
            raise ValueError(f"no maker's name but its own, got {account!r}")
        self.accounts[account] = maker
        self.account_numbers.setdefault(account, len(self.account_numbers) + 1)
        self.account_changes += 1

    def account_number(self, name: str) -> int:
        """Number of the account of that name, 0 for a maker's own name."""
        return self.account_numbers[name] if self.accounts.get(name, name) != name else 0

    def close_account(self, account: str) -> None:
        """Quotes of `account` are nobody's."""
        self.accounts.pop(account, None)
        self.account_changes += 1

    def find_maker(self, name: str) -> int:
        """Index of the maker of that name or account, or -1: its quotes have no obligation."""
        return self.maker_index.get(self.accounts.get(name, name), -1)

    def via(self, via: Via) -> int:
        """Index in `theo_vias` of where a theo came from; 0 for nowhere, and for one too many."""
        index = self.via_index.get(via)
        if index is None:
            if len(self.theo_vias) >= MOST_VIAS:
                return 0
            index = self.via_index[via] = len(self.theo_vias)
            self.theo_vias.append(via)
        return index

    def knows_scope(self, scope: str) -> bool:
        """Does a scope (`*`, class or contract) name anything?"""
        return scope == ALL or scope in self.contract_index or scope in self.class_index
