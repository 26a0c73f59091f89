# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in as Jenkins, by the role's own start and reload, on what the role renders."""

from __future__ import annotations

import base64
import pathlib
import subprocess
import time

import pytest
import test_jenkins as role
from test_standin import PROGRAM, ask, port, running

__all__ = ["port"]


class Place:
    """Everything where the scripts look for it, below a directory of the test's own."""

    def __init__(self, tmp_path, port):
        self.path, self.port = tmp_path, port
        for name in ("etc/casc", "etc/jobs", "etc/bin", "secrets", "run", "home"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "jenkins.sh").write_text(f"#!/bin/sh\nexec python3 {tmp_path}/program/jenkins.sh\n")
        (tmp_path / "jenkins.sh").chmod(0o755)
        (tmp_path / "program").mkdir()
        (tmp_path / "program/jenkins.sh").symlink_to(PROGRAM)
        self.declare()

    def moved(self, text):
        for place, name in (("/usr/local/bin/jenkins.sh", "jenkins.sh"), ("/etc/mooring", "etc"),
                            ("/run/secrets", "secrets"), ("/run/jenkins", "run"),
                            ("/usr/share/jenkins/ref", "ref"), ("/var/jenkins_home", "home")):
            text = text.replace(place, str(self.path / name))
        return text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")

    def declare(self, **changes):
        """Write what the role renders."""
        for path in (self.path / "secrets").iterdir():
            path.unlink()
        for name, content in role.secrets(**changes).items():
            (self.path / "secrets" / name).write_text(content)
        (self.path / "etc/casc/jenkins.yaml").write_text(
            self.moved(role.render("jenkins/casc/jenkins.yaml.j2", **changes)))
        (self.path / "etc/jobs/jobs.json").write_text(role.render("jenkins/jobs/jobs.json.j2", **changes))
        for name in ("start.sh", "reload.sh"):
            (self.path / "etc/bin" / name).write_text(self.moved((role.PROJECT / "jenkins/bin" / name).read_text()))

    def start(self):
        environment = role.service()["environment"] | {
            "PATH": "/usr/bin:/bin", "CASC_JENKINS_CONFIG": str(self.path / "etc/casc"),
            "SECRETS": str(self.path / "secrets"), "JENKINS_HOME": str(self.path / "home"),
            "JENKINS_OPTS": f"--prefix=/jenkins --httpPort={self.port}"}
        return running(self.port, ["bash", str(self.path / "etc/bin/start.sh")], env=environment,
                       stderr=subprocess.STDOUT)

    def reload(self):
        return subprocess.run(["sh", self.path / "etc/bin/reload.sh"], capture_output=True, text=True, check=False,
                              timeout=60)

    def status(self, method, path, user="", password="", **headers):
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        return ask(self.port, method, f"/jenkins{path}", **headers)[0].status


@pytest.fixture
def place(tmp_path, port):
    return Place(tmp_path, port)


# defect 19, 20
def test_everybody_sees_the_login_and_users_the_rest(place):
    with place.start():
        assert place.status("GET", "/login") == 200
        assert ask(place.port, "GET", "/login")[0].status == 404
        assert place.status("GET", "/job/shop/") == 403
        assert place.status("GET", "/job/shop/", "admin", "wrong") == 401
        assert place.status("GET", "/job/shop/", "admin", role.AWKWARD) == 200
        assert place.status("GET", "/job/other/", "admin", role.AWKWARD) == 404
        assert place.status("GET", "/job/shop/", "kim", "kim's ${password}") == 200


# defect 22
def test_gitlab_starts_a_job_by_its_token(place):
    with place.start():
        token = {"X-Gitlab-Token": "a-webhook-token-1${x}"}
        assert place.status("POST", "/project/shop", **token) == 200
        assert place.status("POST", "/project/shop", **{"X-Gitlab-Token": "x"}) == 401
        assert place.status("POST", "/project/shop") == 401
        assert place.status("POST", "/project/by-hand", **token) == 200
        # Jenkins tells everybody what became of a build; the proxy lets only POST through.
        assert place.status("GET", "/project/shop/status.png") == 200
        assert place.status("POST", "/project/other", **token) == 404


def test_a_change_is_taken_over_by_the_one_that_runs(place):
    with place.start():
        first = (place.path / "run/reload_password").read_text()
        assert place.reload().returncode == 0
        # Also that of the administrator, with which a reload could not log in.
        place.declare(jenkins_dood_admin_password="another ${one}",
                      jenkins_dood_jobs=[{"name": "new", "repository": "https://gitlab.example.com/x.git"}])
        done = place.reload()
        assert (done.returncode, done.stderr) == (0, "")
        assert place.status("GET", "/job/new/", "admin", "another ${one}") == 200
        assert place.status("GET", "/job/shop/", "admin", "another ${one}") == 404
        assert place.status("GET", "/job/new/", "admin", role.AWKWARD) == 401
        assert (place.path / "run/reload_password").read_text() == first
    with place.start():
        assert (place.path / "run/reload_password").read_text() != first


def test_what_it_refuses_ends_the_run_and_changes_nothing(place):
    with place.start():
        (place.path / "secrets/credential_vault").unlink()
        done = place.reload()
        assert done.returncode != 0
        # What nobody foresaw is not on the page, and only in the log.
        assert "does not take its configuration (HTTP 500) and says: Oops!" in done.stderr
        assert "The cause: Caused by: java.lang.IllegalStateException: Unable to resolve variable '" in done.stderr
        assert "credential_vault'" in done.stderr
        # A run shows the last line.
        assert "<" not in done.stderr and done.stderr.count("\n") == 1
        assert place.status("GET", "/job/shop/", "admin", role.AWKWARD) == 200
        place.declare()
        (place.path / "secrets/webhook_shop").unlink()
        done = place.reload()
        assert "(HTTP 200) and says: Error loading configuration seedJob: Failed to execute script" in done.stderr
        assert "DslScriptException: (jobs.groovy, line 1) Unable to resolve variable 'webhook_shop'" in done.stderr
        assert done.stderr.count("\n") == 1
        (place.path / "etc/casc/jenkins.yaml").unlink()
        done = place.reload()
        # The page says it all, and no exception is newer in the log.
        assert "no configuration" in done.stderr and "The cause" not in done.stderr
        (place.path / "run/reload.curl").write_text('user = "mooring:wrong"\n')
        done = place.reload()
        assert done.returncode != 0 and "gives no crumb for a reload (HTTP 401)" in done.stderr
    done = place.reload()
    assert done.returncode != 0


def test_a_secret_that_is_not_there_is_no_start(place):
    (place.path / "secrets/webhook_shop").unlink()
    with pytest.raises(AssertionError, match="Unable to resolve variable 'webhook_shop'"), place.start():
        pass


def test_the_plugins_that_run_are_those_of_the_image(place):
    """Newer ones, and those that somebody clicked together, too: a rolled back image has its own."""
    image, home = place.path / "ref/plugins", place.path / "home/plugins"
    for directory in (image, home / "git/WEB-INF", home / "mailer"):
        directory.mkdir(parents=True)
    for name, content in (("git", "1"), ("mailer", "2"), ("new", "3")):
        (image / f"{name}.jpi").write_text(content)
    for name, content in (("git", "newer"), ("mailer", "2"), ("own", "4")):
        (home / f"{name}.jpi").write_text(content)
        (home / f"{name}.jpi.version_from_image").write_text("x")
    with place.start():
        # The entry point of the image then copies what is not there.
        assert sorted(path.name for path in home.iterdir()) == [
            "mailer", "mailer.jpi", "mailer.jpi.version_from_image", "own.jpi", "own.jpi.version_from_image"]


# defect 8
def test_its_password_is_nobody_s_argument_and_nobody_else_reads_it(place):
    with place.start():
        password = (place.path / "run/reload_password").read_text()
        assert len(password) == 48
        for name in ("reload_password", "reload.curl"):
            assert (place.path / "run" / name).stat().st_mode & 0o077 == 0
        # Every command line of the machine, for as long as it works.
        seen = []
        process = subprocess.Popen(["sh", place.path / "etc/bin/reload.sh"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        while process.poll() is None:
            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(path.read_bytes())
                except OSError:
                    continue
            time.sleep(0.005)
        assert process.communicate() == (b"", b"")
        assert not [one for one in seen if password.encode() in one or b"Jenkins-Crumb" in one]
    # What Jenkins itself makes afterwards is readable as usual.
    assert (place.path / "home/standin").stat().st_mode & 0o044
