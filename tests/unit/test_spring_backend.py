"""The Spring example without Java: what its build tells Maven, and what its README tells a user."""

from __future__ import annotations

import pathlib
import sys
from xml.etree import ElementTree

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "examples" / "apps" / "spring-backend")]

import maven_settings  # noqa: E402
import spring  # noqa: E402

VARIABLES = spring.variables(vault_shop_mysql_password='a "quoted" one', vault_shop_redis_password="r")
(APPLICATION,) = VARIABLES["app_blue_green_applications"]


def found(environment: dict[str, str], path: str) -> list[dict[str, str | None]]:
    """The children of every element at a path, by name."""
    settings = ElementTree.fromstring(maven_settings.render(environment))
    return [{child.tag: child.text for child in element} for element in settings.iterfind(path)]


# environment -> the proxies that Maven is told of
PROXIES = {
    "none": ({}, []),
    "both": (
        {"http_proxy": "http://192.0.2.1:3128", "HTTPS_PROXY": "http://192.0.2.2:3129/"},
        [{"id": "http", "protocol": "http", "host": "192.0.2.1", "port": "3128"},
         {"id": "https", "protocol": "https", "host": "192.0.2.2", "port": "3129"}]),
    "without a scheme and a port": (
        {"https_proxy": "proxy.example.com"},
        [{"id": "https", "protocol": "https", "host": "proxy.example.com", "port": "80"}]),
    "a password and exceptions": (
        {"https_proxy": "http://me:p%40ss%26@proxy.example.com:80", "no_proxy": "localhost, .example.com"},
        [{"id": "https", "protocol": "https", "host": "proxy.example.com", "port": "80", "username": "me",
          "password": "p@ss&", "nonProxyHosts": "localhost|*.example.com"}]),
}


@pytest.mark.parametrize(("environment", "proxies"), PROXIES.values(), ids=PROXIES)
def test_maven_is_told_of_the_host_s_proxies(environment: dict[str, str], proxies: list[dict[str, str]]) -> None:
    assert found(environment, "proxies/proxy") == proxies


def test_maven_is_told_of_a_mirror_only_where_there_is_one() -> None:
    assert found({"MAVEN_MIRROR": ""}, "mirrors/mirror") == []
    assert found({"MAVEN_MIRROR": "https://mirror.example.com/?a=1&b=2"}, "mirrors/mirror") == [
        {"id": "mirror", "mirrorOf": "*", "url": "https://mirror.example.com/?a=1&b=2"}]


def test_a_proxy_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="https_proxy is not of the form"):
        maven_settings.render({"https_proxy": "http://:3128"})


@pytest.mark.parametrize(("content", "trusted"), [(None, False), ("", False), ("-----BEGIN CERTIFICATE-----", True)])
def test_maven_trusts_what_the_machine_trusts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, content: str | None, trusted: bool,
) -> None:
    calls: list[list[str]] = []
    # openssl knows what Java wants (-jdktrust) from 3.2 on; the images that are built with it have that.
    monkeypatch.setattr(maven_settings.subprocess, "run", lambda argv, check: calls.append(argv))
    bundle = tmp_path / "host-ca-certificates.crt"
    if content is not None:
        bundle.write_text(content)
    maven_settings.trust(bundle, tmp_path)
    assert [argv[argv.index("-in") + 1] for argv in calls] == [str(bundle)] * trusted
    assert (tmp_path / ".mavenrc").exists() == trusted
    if trusted:
        assert f"-Djavax.net.ssl.trustStore={calls[0][-1]} " in (tmp_path / ".mavenrc").read_text()


@pytest.mark.parametrize("role", ["app_blue_green", "data_stores", "distro_images", "nginx_certbot"])
def test_the_readme_sets_what_the_roles_know(role: str) -> None:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    mine = {name for name in VARIABLES if name.startswith(f"{role}_")}
    assert mine
    options = specs["argument_specs"]["main"]["options"]
    assert mine <= set(options)
    for name in mine:
        if options[name].get("options"):
            assert {key for item in VARIABLES[name] for key in item} <= set(options[name]["options"])


def test_the_readme_names_each_thing_once() -> None:
    (application,) = VARIABLES["distro_images_applications"]
    assert APPLICATION["image"].endswith(f"/{application['name']}")
    assert APPLICATION["release"] == application["tag"] == application["args"]["RELEASE"]
    assert pathlib.Path(application["context"]).resolve() == spring.APPLICATION
    assert [route["application"] for route in VARIABLES["nginx_certbot_routes"]] == [APPLICATION["name"]]


def test_the_readme_s_file_of_secrets_is_the_manual_s() -> None:
    secret = yaml.safe_load(APPLICATION["secrets"]["application-secret.yml"])["spring"]
    assert secret["config"]["activate"]["on-profile"] == "secret"
    assert secret["datasource"] == {"username": "shop", "password": 'a "quoted" one'}
    assert secret["data"]["redis"] == {"password": "r"}


def test_nothing_leads_the_proxy_to_the_management_port() -> None:  # defect 49
    settings = yaml.safe_load((spring.APPLICATION / "src/main/resources/application.yml").read_text())
    management = settings["management"]["server"]["port"]
    assert APPLICATION["readiness"]["port"] == management != settings["server"]["port"]
    assert management not in [route.get("port") for route in VARIABLES["nginx_certbot_routes"]]
    assert settings["management"]["endpoints"]["web"]["exposure"]["include"] == ["health", "prometheus"]
