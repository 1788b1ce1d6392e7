"""Refuses addresses that try many different wrong passwords."""

import json
from typing import Self

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.allow import Verdict, Verdict_Decided, Verdict_Pass
from wit_world.imports import settings, stats, types


class Guard:
    """What an instance keeps. Made at the first call: when the component is built there is no host yet."""

    made: Self | None = None

    def __init__(self) -> None:
        given = json.loads(settings.json())
        self.limit = given.pop("limit", 20)
        if not isinstance(self.limit, int):
            raise Err('setting "limit": must be a whole number')
        for name in given:
            raise Err(f'there is no setting "{name}"')
        self.db = stats.open("{{name}}")

    @classmethod
    def get(cls) -> Self:
        if cls.made is None:
            cls.made = cls()
        return cls.made


class Setup(exports.Setup):
    """Called once when the policy is loaded: what it raises refuses the policy, and the operator reads it."""

    def check(self) -> None:
        Guard.get()


class Report(exports.Report):
    def report(self, login: types.Login) -> None:
        # What a policy refused says nothing about the password: nobody looked at it.
        if not login.success and not login.policy_reject:
            key, tried = stats.Key_Address(login.remote), stats.Value_Text(login.pwhash)
            Guard.get().db.add(key, "different", tried)


class Allow(exports.Allow):
    def allow(self, login: types.Login) -> Verdict:
        guard = Guard.get()
        different = guard.db.get(stats.Key_Address(login.remote), "different")
        if different > guard.limit:
            attrs = [("different_passwords", str(different))]
            text = "Too many failed logins from your address - try again later"
            return Verdict_Decided(types.Decision(-1, text, "{{name}}", attrs))
        return Verdict_Pass()
