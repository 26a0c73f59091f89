# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a teardown takes for ours."""

from __future__ import annotations

import dataclasses

import pytest
from ansible.errors import AnsibleError
from ansible_collections.mooring.stack.plugins.action.platform_teardown import remove_secrets, report
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._teardown import (
    Container,
    Found,
    Image,
    Network,
    Plan,
    Volume,
    decide,
)
from ansible_collections.mooring.stack.plugins.modules import platform_teardown

COMPONENTS = ["data_stores", "nginx_certbot", "app_blue_green"]


def plan(found, delete_data=True, remove_images=True):
    return decide(found, "/opt/mooring", "mooring", COMPONENTS, delete_data, remove_images)


@pytest.mark.parametrize("container, ours", [
    (Container("1", "mooring-data_stores-mysql-1", "mooring-data_stores", "/opt/mooring/data_stores"), True),
    # A colour whose directory is gone already: its labels still say whose it is.
    (Container("1", "mooring-demo-blue-app-1", "mooring-demo-blue", "/opt/mooring/demo-blue"), True),
    (Container("1", "shop-web-1", "shop", "/srv/shop"), False),
    # Somebody's project that happens to begin like ours, but lies elsewhere.
    (Container("1", "mooring-shop-web-1", "mooring-shop", "/srv/shop"), False),
    (Container("1", "mooring-data_stores-mysql-1", "mooring-data_stores", "/srv/data_stores"), False),
    # Another platform on the same engine, whose root begins like ours.
    (Container("1", "two-data_stores-mysql-1", "two-data_stores", "/opt/mooring-two/data_stores"), False),
])
def test_containers(container, ours):
    assert bool(plan(Found(containers=(container,))).containers) is ours


@pytest.mark.parametrize("volume, ours", [
    (Volume("mooring-mysql", "mooring-data_stores"), True),
    (Volume("shop_db", "shop"), False),
    (Volume("mooring-shop_db", "mooring-shop"), False),
    (Volume("loose", ""), False),
])
def test_volumes(volume, ours):
    assert bool(plan(Found(volumes=(volume,))).volumes) is ours


def test_volumes_stay_if_data_is_kept():
    found = Found(volumes=(Volume("mooring-mysql", "mooring-data_stores"),))
    kept = plan(found, delete_data=False)
    assert kept.volumes == ()
    assert kept.kept_volumes == ("mooring-mysql",)
    assert not kept
    assert plan(found).volumes == ("mooring-mysql",), "a later teardown still knows them"


WHOLE = Found(
    directories=("app_blue_green", "data_stores", "demo-blue", "demo-green", "nginx_certbot", "notes"),
    projects=("data_stores", "demo-blue", "demo-green", "nginx_certbot"),
    applications=("demo",),
    containers=tuple(
        Container(name, name, f"mooring-{name}", f"/opt/mooring/{name}")
        for name in ("data_stores", "demo-blue", "demo-green", "nginx_certbot")),
    volumes=(Volume("mooring-mysql", "mooring-data_stores"),),
    networks=(Network("mooring", "", "mooring"),),
    jobs=("mooring-drift", "mooring-nginx_certbot", "mooring-two-nginx_certbot"),
    images=(Image("sha256:1", ("mooring.local/mysql:9",)),),
)


@pytest.mark.parametrize("only, containers, directories, volumes", [
    (["data_stores"], ["data_stores"], ["data_stores"], ["mooring-mysql"]),
    (["nginx_certbot"], ["nginx_certbot"], ["nginx_certbot"], []),
    (["app_blue_green"], ["demo-blue", "demo-green"], ["app_blue_green", "demo-blue", "demo-green"], []),
])
def test_one_component_alone(only, containers, directories, volumes):
    part = decide(WHOLE, "/opt/mooring", "mooring", COMPONENTS, True, True, only)
    assert [one.name for one in part.containers] == containers
    assert list(part.directories) == directories
    assert list(part.volumes) == volumes
    assert (part.networks, part.images, part.foreign) == ((), (), ())


@pytest.mark.parametrize("only, jobs", [
    ((), ("mooring-drift", "mooring-nginx_certbot")),  # those of another platform stay
    (("nginx_certbot",), ("mooring-nginx_certbot",)),
    (("data_stores",), ()),
])
def test_nothing_goes_on_starting_what_is_gone(only, jobs):
    assert decide(WHOLE, "/opt/mooring", "mooring", COMPONENTS, True, True, only).jobs == jobs


def test_a_component_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(MooringError, match=r"no component notes, shop on this host. There are: app_blue_green, data_s"):
        decide(WHOLE, "/opt/mooring", "mooring", COMPONENTS, True, True, ["notes", "shop"])


def test_of_a_component_whose_data_was_kept_the_data_can_go_later():
    left = Found(volumes=(Volume("mooring-mysql", "mooring-data_stores"),))
    assert decide(left, "/opt/mooring", "mooring", COMPONENTS, True, True, ["data_stores"]).volumes == (
        "mooring-mysql",)


SHOP = tuple(Found(
    directories=("app_blue_green", "crm-blue", "crm-green", "shop-blue"),
    projects=("crm-blue", "crm-green", "shop-blue"), applications=("crm", "shop"),
    # The first colour that ran made it.
    volumes=(Volume("mooring-shop-uploads", f"mooring-shop-{colour}", "shop"), Volume("mooring-mysql", "mooring-mysql"),
             Volume("two-shop-uploads", "mooring-two-shop-blue", "shop"))) for colour in ("blue", "green"))


@pytest.mark.parametrize("found", [*SHOP, Found(volumes=SHOP[0].volumes)], ids=["blue", "green", "kept before"])
@pytest.mark.parametrize("only, gone", [((), True), (("app_blue_green",), True), (("mysql",), False)])
def test_what_the_colours_of_an_application_share_goes_with_the_applications(found, only, gone):
    decided = decide(found, "/opt/mooring", "mooring", COMPONENTS, True, True, only)
    assert ("mooring-shop-uploads" in decided.volumes) is gone
    assert "two-shop-uploads" not in decided.volumes, "another platform's"
    if found.directories and gone:
        assert decided.directories == found.directories, "every colour of every application"


@pytest.mark.parametrize("network, ours", [
    (Network("mooring", "", "mooring"), True),
    (Network("mooring-data_stores_default", "mooring-data_stores", ""), True),
    (Network("mooring", "", ""), False),  # the same name, made by somebody else
    (Network("two", "", "two"), False),
])
def test_networks(network, ours):
    assert bool(plan(Found(networks=(network,))).networks) is ours


@pytest.mark.parametrize("found, leaves", [
    (Found(swarm="mooring", networks=(Network("mooring", "", "mooring", overlay=True),)), True),
    (Found(swarm="mooring", networks=(Network("ingress", "", "", overlay=True),)), True),
    # Somebody's swarm, another platform's, and ours with a network of another platform in it.
    (Found(swarm=""), False),
    (Found(swarm="two"), False),
    (Found(swarm="mooring", networks=(Network("two", "", "two", overlay=True),)), False),
    (Found(swarm="mooring", networks=(Network("two", "", "two"),)), True),
])
def test_the_swarm_is_left_by_those_who_made_it(found, leaves):
    decided = plan(found)
    assert decided.leave_swarm is leaves
    assert "mooring" not in decided.networks, "an overlay goes with the swarm"


def test_what_an_engine_keeps_of_a_swarm_goes_too():
    networks = (Network("docker_gwbridge", "", ""), Network("bridge", "", ""), Network("mooring", "", "mooring", True))
    assert plan(Found(swarm="mooring", networks=networks)).networks == ("docker_gwbridge",)
    assert plan(Found(swarm="", networks=networks)).networks == ("mooring",)


def test_one_component_leaves_no_swarm():
    found = Found(directories=("data_stores",), projects=("data_stores",), swarm="mooring")
    assert not decide(found, "/opt/mooring", "mooring", COMPONENTS, True, True, only=["data_stores"]).leave_swarm


@pytest.mark.parametrize("image, removed", [
    (Image("sha256:1", ("mooring.local/redis:8",)), ("mooring.local/redis:8",)),
    (Image("sha256:1", (), replaced=True), ("sha256:1",)),
    # What somebody built on one of ours has inherited its label.
    (Image("sha256:1", ()), ()),
    (Image("sha256:1", ("mooring.local/redis:8", "registry.shop.test/redis:8")), ("mooring.local/redis:8",)),
    (Image("sha256:1", ("registry.shop.test/redis:8",)), ()),
])
def test_images(image, removed):
    assert plan(Found(images=(image,))).images == removed
    assert plan(Found(images=(image,)), remove_images=False).images == ()


def test_directories_that_are_not_ours_stay():
    found = Found(directories=("app_blue_green", "demo-blue", "backup-of-ann"), projects=("demo-blue",))
    decided = plan(found)
    assert decided.directories == ("app_blue_green", "demo-blue")
    assert decided.foreign == ("backup-of-ann",)


def test_nothing_is_nothing():
    assert not plan(Found())


def test_only_a_state_directory_is_removed_on_the_controller(tmp_path):
    secrets = tmp_path / ".state"
    secrets.mkdir()
    (secrets / "password").write_text("x")
    assert remove_secrets(secrets) is True
    assert remove_secrets(secrets) is False
    with pytest.raises(AnsibleError, match=r"only a directory named \.state"):
        remove_secrets(tmp_path)


def test_the_report_names_what_stays():
    kinds = ("containers", "networks", "volumes", "kept_volumes", "images", "directories", "jobs", "records", "foreign",
             "left", "registries")
    empty = {**dict.fromkeys(kinds, []), "leave_swarm": False}
    assert report(empty) == ["There was nothing to remove."]
    some = {"containers": ["a"], "directories": ["b", "c"], "kept_volumes": ["v"], "foreign": ["f"],
            "left": ["image i: used"], "leave_swarm": True}
    assert report({**empty, **some}) == [
        "Removed 1 container, 2 directories.",
        "Left the swarm of the platform's hosts.",
        "Kept with their data: v.",
        "Not ours, left where they are: f.",
        "Could not remove image i: used",
    ]


def test_a_plan_is_true_if_it_removes_something():
    assert all(
        dataclasses.replace(plan(Found()), **{kind: ("x",)})
        for kind in ("containers", "networks", "volumes", "images", "directories", "jobs", "registries", "records")
    )


def test_the_record_of_the_version_goes_with_the_platform(tmp_path):
    record = tmp_path / "etc" / "platforms" / "mooring.json"
    found = Found(directories=("data_stores",), projects=("data_stores",), records=(str(record),))
    one = decide(found, "/opt/mooring", "mooring", COMPONENTS, True, True, only=["data_stores"])
    assert (one.records, plan(found).records) == ((), (str(record),))
    record.parent.mkdir(parents=True)
    for other in ("two.json", ""):
        record.write_text("")
        if other:
            (record.parent / other).write_text("")
        platform_teardown.apply(None, None, tmp_path / "opt", plan(Found(records=(str(record),))))
        assert not record.exists() and record.parent.exists() is bool(other)
        if other:
            (record.parent / other).unlink()
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(("collection", "acknowledged", "refused"), [
    ("0.2.0", "", True), ("0.2.0", "0.3.0", False), ("0.3.0", "", False), ("", "", False)])
def test_an_older_version_removes_nothing(tmp_path, collection, acknowledged, refused):
    record = tmp_path / "mooring.json"
    params = {"collection": collection, "downgrade_acknowledged": acknowledged}
    platform_teardown.refuse_an_older_version(params, record)
    record.write_text('{"version": "0.3.0"}')
    if refused:
        with pytest.raises(MooringError, match=r"0\.3\.0 worked here last, .* this is 0\.2\.0"):
            platform_teardown.refuse_an_older_version(params, record)
    else:
        platform_teardown.refuse_an_older_version(params, record)


def test_a_job_that_cannot_be_removed_is_named_and_the_rest_goes(tmp_path, monkeypatch):
    def unschedule(_module, name):
        if name == "mooring-drift":
            raise MooringError("systemctl failed.")

    monkeypatch.setattr(platform_teardown, "unschedule", unschedule)
    (tmp_path / "data_stores").mkdir()
    doomed = Plan(directories=("data_stores",), jobs=("mooring-drift", "mooring-nginx_certbot"))
    left = platform_teardown.apply(None, None, tmp_path, doomed)
    assert left == ["job mooring-drift: systemctl failed."]
    assert not tmp_path.exists()
