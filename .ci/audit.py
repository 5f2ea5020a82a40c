"""Look the installed packages up among known vulnerabilities: python .ci/audit.py SITE_PACKAGES [OSV_URL].

Needs pip-audit. Ends with 1 if a package has a known vulnerability. Where no database can be reached, that is said and
is no failure: nothing has been found out then, neither good nor bad.
"""

from __future__ import annotations

import json
import subprocess
import sys


def audited(path: str, *service: str) -> tuple[list[dict], str]:
    """Return the packages that a database could be asked about, and why others could not."""
    command = [sys.executable, "-m", "pip_audit", "--path", path, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run([*command, "--timeout", "10", *service], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], (done.stderr.strip() or "no answer").splitlines()[-1]
    reasons = [each["skip_reason"] for each in packages if "skip_reason" in each]
    return [each for each in packages if "vulns" in each], reasons[0] if reasons else ""


def main() -> int:
    """Ask one database after the other, until one knows."""
    path, *osv_url = sys.argv[1:]
    osv = ("--vulnerability-service", "osv", *(("--osv-url", osv_url[0]) if osv_url else ()))
    troubles = []
    for service in (osv, ("--vulnerability-service", "pypi")):
        packages, trouble = audited(path, *service)
        if packages:
            break
        troubles.append(f"{service[1]}: {trouble[:200]}")
    else:
        print("NOT AUDITED: no database of vulnerabilities can be reached from here.", *troubles, sep="\n  ")
        return 0
    found = [(each, vulnerability) for each in packages for vulnerability in each["vulns"]]
    for each, vulnerability in found:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in {fixed}")
    print(f"{len(packages)} packages audited by {service[1]}, {len(found)} known vulnerabilities.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
