"""Are there known vulnerabilities in what is installed? Asks pip-audit, and says so if it cannot know.

python -m infra.audit

Exits with 1 for a known vulnerability, and with 0, aloud, where no data about any can be had:
without a network nobody's check should fail, and none should pass in silence.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TIMEOUT_S = 180
Found = Sequence[Mapping[str, Any]]


def main() -> int:
    """Audit this environment; returns the exit code."""
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--format", "json"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _skipped(f"no answer within {TIMEOUT_S} s")
    try:
        dependencies: Found = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = asked.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return _skipped(last[0])
    return judge(dependencies)


def judge(dependencies: Found) -> int:
    """Print what pip-audit found; returns the exit code."""
    audited = [each for each in dependencies if "skip_reason" not in each]
    if not audited:
        return _skipped(f"none of {len(dependencies)} packages is known where pip-audit looks")
    lines = [line for each in audited for line in _lines(each)]
    for line in lines:
        print(line)
    unknown = len(dependencies) - len(audited)
    print(f"audit: {len(audited)} packages, {len(lines)} vulnerabilities; {unknown} not known")
    return 1 if lines else 0


def _lines(dependency: Mapping[str, Any]) -> Iterator[str]:
    for found in dependency.get("vulns", ()):
        fixed = ", ".join(found.get("fix_versions", ())) or "nowhere yet"
        yield f"{dependency['name']} {dependency['version']}: {found['id']}, mended in {fixed}"


def _skipped(why: str) -> int:
    print(f"audit: SKIPPED, no vulnerability data: {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
