"""What the doctor said about this project, to be asked by tests."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from io import StringIO

from django.core.management import call_command

from wagtail_referrals import doctor
from wagtail_referrals.doctor import Finding, Round, Verdict


@dataclass
class Record:
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    result: Round | None = None

    def of(self, verdict: Verdict) -> list[str]:
        return [finding.words for _key, finding in self.findings if finding.verdict == verdict]

    @property
    def broken(self) -> list[str]:
        return self.of(Verdict.BROKEN)

    def about(self, words: str) -> Finding:
        """The one finding whose sentence has these words in it."""
        found = [finding for _key, finding in self.findings if words in finding.words]
        assert len(found) == 1, (words, [finding.words for _key, finding in self.findings])
        return found[0]

    def says(self, words: str, verdict: Verdict = Verdict.BROKEN) -> bool:
        finding = self.about(words)
        assert finding.verdict == verdict, finding
        assert verdict != Verdict.BROKEN or finding.mend, f"no mend: {finding}"
        return True

    def part(self, key: str) -> list[Finding]:
        return [finding for part, finding in self.findings if part == key]


def examine(wanted: Collection[str] = ()) -> Record:
    """``wanted``: the keys of the examinations that are done; by default all."""
    record = Record()
    parts: list[str] = []
    record.result = doctor.examine(
        begin=lambda examination: parts.append(examination.key),
        only=lambda examination: not wanted or examination.key in wanted,
        report=lambda finding: record.findings.append((parts[-1], finding)),
    )
    return record


def command() -> tuple[str, int]:
    """What the command prints, and its exit code."""
    out = StringIO()
    try:
        call_command("referrals_doctor", stdout=out, no_color=True)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0
