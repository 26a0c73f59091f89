# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a delivery becomes: whom it is believed from, who is told, and that what people wrote stays text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
import sys

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from notifier import markdown, texts
from notifier.handler import Delivery, Ignored, Message, Rejected, handle, identity
from notifier.settings import SettingsError, load
from notifier_parts import DEPLOY, ROOT, SAMPLES, TOKEN, declared, delivery, request

sys.path.insert(0, str(ROOT / "tests/lab"))

import templates  # noqa: E402

NOW = 1_800_000_000.0
KEY = b"sixteen bytes and a few more"
SIGNING = "whsec_" + base64.b64encode(KEY).decode()


def told(body, settings=None, event="Merge Request Hook", **headers):
    """The text; the delivery has to become a message."""
    outcome = handle(delivery(body, event, **headers), settings or declared(), NOW)
    assert isinstance(outcome, Message), outcome
    return outcome.post["text"]


# ---------------------------------------------------------------- whom it is believed from


@pytest.mark.parametrize("headers", [
    {}, {"x-gitlab-token": ""}, {"x-gitlab-token": TOKEN + "x"}, {"x-gitlab-token": TOKEN[:-1]},
    {"x-gitlab-token": "\u00fc"}, {"x-mooring-token": DEPLOY}, {"x-gitlab-token": DEPLOY},
])
def test_without_the_token_nothing_is_believed(headers):
    outcome = handle(Delivery("gitlab", {"x-gitlab-event": "Merge Request Hook", **headers}, b"{}"), declared(), NOW)
    assert isinstance(outcome, Rejected) and outcome.status == 401
    assert TOKEN not in outcome.reason


def test_tokens_are_compared_in_constant_time(monkeypatch):  # defect 81
    seen = []
    real = hmac.compare_digest
    monkeypatch.setattr("notifier.handler.hmac.compare_digest", lambda a, b: seen.append((a, b)) or real(a, b))
    both = declared({"gitlab_tokens": ["first-of-two-tokens", TOKEN]})
    assert isinstance(handle(delivery(request()), both, NOW), Message)
    assert [b for _a, b in seen] == [b"first-of-two-tokens", TOKEN.encode()], "all of them, whichever is right"


@pytest.mark.parametrize(("secret", "why"), [
    ({"gitlab_tokens": []}, "both empty"),  # defect 85
    ({"gitlab_tokens": [""]}, "none of them empty"),
    ({"gitlab_tokens": "a-token"}, "mattermost_notifier_gitlab_tokens has to be a list of texts"),
    # A header cannot have them, and an error that says so would quote the token.
    ({"gitlab_tokens": [TOKEN, TOKEN + "\n"]}, "mattermost_notifier_gitlab_tokens: token 2 has white space"),
    ({"gitlab_tokens": [TOKEN + "\u00fc"]}, "token 1 has white space"),
    ({"deploy_tokens": [TOKEN + " x"]}, "mattermost_notifier_deploy_tokens: token 1 has white space"),
    ({"signing_tokens": ["whsec_short"]}, "signing_tokens: token 1 is not what GitLab shows"),
    ({"webhooks": {}}, "at least one name"),
    ({"webhooks": {"default": "mattermost.example.com"}}, "mattermost_notifier_webhooks.default is no URL"),
    ({"webhooks": {"default": "https://m:abc/"}}, "webhooks.default is no URL"),
    ({"webhooks": {"default": "https://m:99999/"}}, "webhooks.default is no URL"),
    ({"webhooks": {"default": "https://[m/"}}, "webhooks.default is no URL"),
    ({"webhooks": {"default": "https://m.example.com/\ud0a4"}}, "webhooks.default is no URL of ASCII"),
    ({"webhooks": {"default": "https://m.example.com/a b"}}, "webhooks.default is no URL"),
    ({"webhooks": {"default": 4}}, "webhooks.default is no URL"),
    ({"webhook": {}}, "the secrets have no 'webhook'"),
])
def test_bad_secrets_are_refused_at_the_start(secret, why):
    with pytest.raises(SettingsError, match=why) as caught:
        declared(secret)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(("public", "why"), [
    ({"language": "de"}, "mattermost_notifier_language is 'de'; use one of en, ko"),
    ({"excerpt": "many"}, "mattermost_notifier_excerpt has to be a whole number between 0 and 4000"),
    ({"excerpt": True}, "excerpt has to be a whole number"),
    ({"excerpt": 300.0}, "excerpt has to be a whole number"),
    ({"body_limit": 2e6}, "mattermost_notifier_config_overrides.body_limit has to be a whole number"),
    ({"limit": 4000.5}, "limit has to be a whole number"),
    ({"queue_limit": 0}, "mattermost_notifier_queue_limit has to be a whole number between 1 and 1000000"),
    ({"queue_hours": 0}, "mattermost_notifier_queue_hours has to be a whole number between 1 and 2160"),
    ({"queue_hours": "9" * 5000}, "mattermost_notifier_queue_hours has to be a whole number"),
    ({"authors": {"4": 4}}, "mattermost_notifier_authors has to be an object whose values are texts"),
    ({"routes": {}}, "routes has to be a list of objects"),
    ({"routes": [{"evnts": ["*"]}]}, "route 1 has no 'evnts'"),
    ({"routes": [{}, {"events": ["merge"]}]}, "route 2: no event is called 'merge'"),
    ({"routes": [{"projects": "shop/*"}]}, "mattermost_notifier_routes, route 1: projects has to be a list"),
    ({"routes": [{"webhook": "ops"}]}, "there is no webhook 'ops'; there are default"),
    ({"routes": [{"drafts": "no"}]}, "drafts has to be true or false"),
    ({"routes": [{"channel": 4}]}, "channel has to be a text"),
    ({"templates": {"merge": ["x"]}}, "no event is called 'merge'"),
    ({"templates": {"comment": "x"}}, "comment has to be a list of lines"),
    ({"templates": {"comment": ["{who}"]}}, r"there is no \{who\}; there are actor, author"),
    ({"templates": {"comment": ["{title.x}"]}}, r"there is no \{title.x\}"),
    ({"templates": {"comment": ["{title!r}"]}}, r"there is no \{title\}"),
    ({"templates": {"comment": ["{title"]}}, "expected '}'"),
    ({"username": 4}, "username has to be a text"),
    ({"colour": "blue"}, "the settings have no 'colour': remove it from mattermost_notifier_config_overrides"),
])
def test_bad_settings_are_refused_at_the_start(public, why):
    with pytest.raises(SettingsError, match=why):
        declared(**public)


def test_numbers_may_be_texts():
    """As ansible-core 2.18 makes them of what an expression gives."""
    assert declared(queue_hours="72", excerpt="300") == declared(queue_hours=72, excerpt=300)


def test_a_number_may_name_a_person_without_quotes():
    """JSON's keys are texts, and those of YAML need not be."""
    role = templates.load(ROOT / "roles/mattermost_notifier/vars/main.yml")
    templar = Templar(loader=DataLoader(), variables={"mattermost_notifier_authors": {42: "Kim", "ara": "@ara"}})
    assert templar.template(role["__mattermost_notifier_config"]["authors"]) == {"42": "Kim", "ara": "@ara"}


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(SettingsError) as caught:
        load("[]", '{"gitlab_tokens": ["x"], "webhooks": 4')
    assert len(str(caught.value).splitlines()) == 4, caught.value


def signed(body: bytes, key: bytes = KEY, stamp: str = str(int(NOW)), name: str = "msg-1", version: str = "v1"):
    digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {"x-gitlab-event": "Merge Request Hook", "webhook-id": name, "webhook-timestamp": stamp,
            "webhook-signature": f"{version},{base64.b64encode(digest).decode()}"}


BODY = json.dumps(request()).encode()


@pytest.mark.parametrize(("headers", "body", "good"), [
    (signed(BODY), BODY, True),
    (signed(BODY, stamp=str(int(NOW) - 299)), BODY, True),
    (signed(BODY, stamp=str(int(NOW) - 301)), BODY, False),
    (signed(BODY, stamp=str(int(NOW) + 301)), BODY, False),
    (signed(BODY), BODY + b" ", False),
    (signed(BODY, key=b"another key of some length"), BODY, False),
    (signed(BODY, version="v2"), BODY, False),
    ({**signed(BODY), "webhook-id": "msg-2"}, BODY, False),
    ({**signed(BODY), "webhook-id": ""}, BODY, False),
    ({**signed(BODY), "webhook-timestamp": "\u0663"}, BODY, False),
    ({**signed(BODY), "webhook-timestamp": "1" * 4000}, BODY, False),
    ({**signed(BODY), "webhook-signature": "v1,AAAA " + signed(BODY)["webhook-signature"]}, BODY, True),
    ({**signed(BODY), "webhook-signature": "\u00fc"}, BODY, False),
    ({"x-gitlab-event": "Merge Request Hook"}, BODY, False),
])
def test_a_signature_has_to_be_right_and_young(headers, body, good):
    settings = declared({"gitlab_tokens": [], "signing_tokens": [SIGNING]})
    outcome = handle(Delivery("gitlab", headers, body), settings, NOW)
    assert isinstance(outcome, Message) == good, outcome
    assert good or outcome.status == 401


def test_a_wrong_signature_is_not_made_good_by_a_token():
    settings = declared({"signing_tokens": [SIGNING]})
    headers = {**signed(BODY, key=b"another key of some length"), "x-gitlab-token": TOKEN}
    assert isinstance(handle(Delivery("gitlab", headers, BODY), settings, NOW), Rejected)
    assert isinstance(handle(delivery(request()), settings, NOW), Message), "as GitLab without signatures sends it"


@pytest.mark.parametrize(("body", "status"), [
    (b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b"\xff\xfe", 400), (b"[" * 100_000, 400),
    (b" " * (2**20 + 1), 413),
])
def test_what_is_no_event_is_refused(body, status):
    outcome = handle(delivery(body), declared(), NOW)
    assert isinstance(outcome, Rejected) and outcome.status == status, outcome


@pytest.mark.parametrize("event", ["Push Hook", "Issue Hook", "", "x" * 5000, "Pipeline  Hook\n"])
def test_other_events_are_answered_that_all_is_well(event):  # defect 82
    assert isinstance(handle(delivery({}, event), declared(), NOW), Ignored)


# ---------------------------------------------------------------- who is told


@pytest.mark.parametrize(("route", "changes", "taken"), [
    ({}, {}, True),
    ({"events": ["merge_request.*"]}, {}, True),
    ({"events": ["merge_request.merge", "comment"]}, {}, False),
    ({"projects": ["shop/*"]}, {}, True),
    ({"projects": ["web/*", "shop/front*"]}, {}, False),
    ({"exclude_projects": ["*/backend"]}, {}, False),
    ({"branches": ["main"]}, {}, True),
    ({"branches": ["release/*"]}, {}, False),
    ({"exclude_branches": ["main"]}, {}, False),
    ({"authors": ["haneul"]}, {}, True),
    ({"authors": ["4"]}, {}, True),
    ({"authors": ["Kim Haneul"]}, {}, False),  # everybody can call himself so
    ({"authors": ["lee"]}, {}, False),
    ({"exclude_authors": ["*-bot", "haneul"]}, {}, False),
    ({"labels": ["urgent"]}, {}, False),
    ({"labels": ["urgent"]}, {"labels": [{"title": "urgent"}]}, True),
    ({"exclude_labels": ["wip*"]}, {"labels": [{"title": "wip: later"}]}, False),
    ({}, {"draft": True}, False),
    ({}, {"work_in_progress": True}, False),
    ({"drafts": True}, {"draft": True}, True),
])
def test_a_route_takes_what_it_asks_for(route, changes, taken):
    outcome = handle(delivery(request(**changes)), declared(routes=[route]), NOW)
    assert isinstance(outcome, Message) == taken, outcome


def test_the_first_route_counts():
    settings = declared({"webhooks": {"default": "https://m.example.com/1", "ops": "https://m.example.com/2"}}, routes=[
        {"branches": ["release"], "webhook": "ops"}, {"channel": "reviews"}, {}], username="GitLab")
    first = handle(delivery(request()), settings, NOW)
    assert (first.webhook, first.post["channel"], first.post["username"]) == ("default", "reviews", "GitLab")
    second = handle(delivery(request(target_branch="release")), settings, NOW)
    assert second.webhook == "ops" and "channel" not in second.post


def test_an_author_may_be_named_as_the_settings_name_him():
    """Of a merge request that somebody else approves, GitLab says the author's number only."""
    settings = declared(authors={"9": "haneul"}, routes=[{"authors": ["haneul"]}])
    body = request(action="approved", author_id=9)
    body["user"] = {"id": 4, "name": "Lee", "username": "lee"}
    assert isinstance(handle(delivery(body), settings, NOW), Message)
    assert isinstance(handle(delivery(body), declared(routes=[{"authors": ["haneul"]}]), NOW), Ignored)


@pytest.mark.parametrize("user", [
    {"id": 66, "username": "mallory", "name": "ara"}, {"id": 66, "username": "42", "name": "Mallory"}])
def test_nobody_takes_the_name_of_another(user):
    body = request(author_id=66)
    body["user"] = user
    settings = declared(authors={"ara": "@ara.lee", "42": "@kim"}, routes=[{"exclude_authors": ["ara", "42"]}])
    outcome = handle(delivery(body), settings, NOW)
    assert isinstance(outcome, Message), outcome
    assert "@" not in outcome.post["text"] and user["name"] in outcome.post["text"]


def pipeline(status, number=1, branch="main", finished="2026-01-01 00:00:00 UTC", request=0, **more):
    return {"object_attributes": {"id": number, "status": status, "ref": branch, "finished_at": finished, **more},
            "merge_request": {"iid": request}, "project": {"path_with_namespace": "shop/backend"}}


@pytest.mark.parametrize(("bodies", "kinds"), [
    ([pipeline("success"), pipeline("running"), pipeline("failed", 2), pipeline("failed", 2),
      pipeline("failed", 2, finished="later"), pipeline("failed", 3), pipeline("success", 4), pipeline("success", 5),
      pipeline("failed", 6, branch="other")],
     ["", "", "failed", "", "failed", "failed", "recovered", "", "failed"]),
    # An older one ends last.
    ([pipeline("failed", 101), pipeline("success", 100), pipeline("success", 102)], ["failed", "", "recovered"]),
    ([pipeline("success", 101), pipeline("failed", 100), pipeline("success", 102)], ["", "", ""]),
    # A job is retried.
    ([pipeline("failed", 7), pipeline("success", 7)], ["failed", "recovered"]),
    # A part of one succeeds.
    ([pipeline("failed", 1), pipeline("success", 2, source="parent_pipeline"), pipeline("success", 3)],
     ["failed", "", "recovered"]),
    # A fork's branch of the same name, and a tag.
    ([pipeline("failed", 1), pipeline("success", 2, source="merge_request_event", request=5),
      pipeline("success", 3, tag=True), pipeline("success", 4)], ["failed", "", "", "recovered"]),
    ([pipeline("failed", 1, source="merge_request_event", request=5),
      pipeline("success", 2, source="merge_request_event", request=6),
      pipeline("success", 3, source="merge_request_event", request=5)], ["failed", "", "recovered"]),
    ([pipeline("failed", "x"), pipeline("failed", None), pipeline("failed", "9" * 5000)], ["", "", ""]),
])
def test_pipelines_are_told_when_they_begin_to_fail_and_when_they_succeed_again(bodies, kinds):
    memory, said = {}, []
    for body in bodies:
        outcome = handle(delivery(body, "Pipeline Hook"), declared(), NOW, lambda subject: memory.get(subject, ""))
        if outcome.memory:
            memory[outcome.memory[0]] = outcome.memory[1]
        said.append(getattr(outcome, "kind", "")[9:])
    assert said == kinds


# ---------------------------------------------------------------- in which words


@pytest.mark.parametrize("language", ["ko", "en"])
def test_documented_events_become_exactly_their_messages(language):
    """102 deliveries as GitLab documents and builds them, and what is to become of each."""
    expected, memory, found = json.loads((SAMPLES / "messages.json").read_text()), {}, {}
    settings = declared(language=language, routes=[{"drafts": True}])
    for path in sorted((SAMPLES / "samples").glob("*.json")):
        sample = json.loads(path.read_text())
        headers = {name.lower().replace("-", "_"): value for name, value in sample["headers"].items()}
        outcome = handle(delivery(sample["body"], headers.pop("x_gitlab_event"), **headers), settings, NOW,
                         lambda subject: memory.get(subject, ""))
        if outcome.memory:
            memory[outcome.memory[0]] = outcome.memory[1]
        found[path.stem] = {"event": outcome.kind, language: outcome.post["text"]} if isinstance(
            outcome, Message) else {"ignored": outcome.reason}
    other = "en" if language == "ko" else "ko"
    assert found == {name: {key: value for key, value in one.items() if key != other} for name, one in expected.items()}
    assert len(found) > 100 and {one.get("event") for one in found.values()} >= {
        kind for kind in texts.KINDS if not kind.startswith("deploy.")}


def test_whoever_did_it_is_not_taken_for_the_author():  # defect 86
    body = request(action="merge", author_id=9)
    assert "Author" not in told(body)
    body["reviewers"] = [{"id": 9, "name": "Lee Ara", "username": "ara"}]
    assert "- Author: Lee Ara" in told(body) and "Kim Haneul merged" in told(body)
    assert "- Author: @ara.lee" in told(body, declared(authors={"ara": "@ara.lee"}))
    assert "- Author: Ara" in told(body, declared(authors={"9": "Ara"}))
    assert "Author" not in told(request(action="merge")), "said once"


def test_a_comment_leads_to_itself():  # defect 80
    body = {"user": {"name": "Kim"}, "project": {"path_with_namespace": "shop/backend"},
            "object_attributes": {"noteable_type": "MergeRequest", "note": "Nice.",
                                  "url": "https://gitlab.example.com/shop/backend/-/merge_requests/7#note_1"},
            "merge_request": {"iid": 7, "title": "Add a till"}}
    assert "[!7 Add a till](https://gitlab.example.com/shop/backend/-/merge_requests/7#note_1)" in told(
        body, event="Note Hook")


def test_templates_may_be_others():
    settings = declared(templates={"merge_request.open": ["{author}: {title}", "{labels}", "{{}}"]})
    assert told(request(url="")) != told(request(url=""), settings) == "Kim Haneul: !7 Add a till\n{}"


def test_a_pipeline_may_say_how_long_it_took():
    settings = declared(templates={"pipeline.failed": ["{title}", "{duration}"]})
    assert told(pipeline("failed", 9, duration=280), settings, "Pipeline Hook") == "Pipeline \\#9\n280 s"


def test_a_template_that_has_nothing_to_say_is_no_post():
    for lines in (["{labels}"], [" "]):
        outcome = handle(delivery(request()), declared(templates={"merge_request.open": lines}), NOW)
        assert outcome == Ignored("its template has nothing to say")


@pytest.mark.parametrize(("event", "changes"), [
    ("Confidential Note Hook", {}), ("Note Hook", {"event_type": "confidential_note"}),
    ("System Hook", {"event_type": "confidential_note"})])
def test_a_comment_that_not_everybody_may_read_is_not_told(event, changes):
    body = {"object_kind": "note", "object_attributes": {"noteable_type": "MergeRequest", "note": "Secret."},
            "merge_request": {"iid": 7, "title": "Add a till"}}
    assert isinstance(handle(delivery(body, "Note Hook"), declared(), NOW), Message)
    assert isinstance(handle(delivery({**body, **changes}, event), declared(), NOW), Ignored)


def test_every_placeholder_of_every_template_is_one():
    for several in texts.TEMPLATES.values():
        assert set(several) == set(texts.KINDS)
        for kind, lines in several.items():
            assert texts.placeholders(lines) <= texts.FIELDS[kind.partition(".")[0]], kind
            assert "actor" in texts.placeholders(lines[:1]) or texts.placeholders(lines[:1]) <= {
                "author", "application", "release"}, f"the first line of {kind} is always there"


HOSTILE = ["@all", "@channel @here @haneul", "<!channel>", "<!here|x>", "<@U1>", "<https://evil.example.com|click>",
           "](https://evil.example.com)", "[x](javascript:alert(1))", "![](https://evil.example.com/x.png)", "`", "``",
           "```", "````\n@all", "~~~", "|a|b|", "#hash", "> quote", "*b* _i_ ~~s~~", "\\", "\\`", "a\nb\r\nc\u2028d",
           "&commat;all", "&#64;here", "&lt;!channel&gt;", ":fire:", "$x$", "see https://evil.example.com/x.png",
           "www.evil.example.com", "WWW.evil.example.com", "HTTPS://evil.example.com",
           "\u202etxt.exe", "\x00\x1b[31m", "\ud800", "\ufeff@all", "@\u200ball", "<\u2060!channel>"]


def read(text: str) -> dict[str, list[str]]:
    """What a reader of Markdown sees: words outside of code, links, pictures, blocks, and what else there is."""
    found: dict[str, list[str]] = {"words": [], "links": [], "pictures": [], "blocks": [], "headings": [], "others": []}
    kinds = {"fence": "blocks", "image": "pictures", "link_open": "links", "heading_open": "headings"}
    plain = {"paragraph_open", "paragraph_close", "heading_close", "link_close", "inline", "softbreak", "code_inline",
             "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"}
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    for token in [one for outer in tokens for one in (outer, *(outer.children or ()))]:
        if token.type in ("text", "text_special"):
            found["words"].append(token.content)
        elif token.type in kinds:
            found[kinds[token.type]].append(str(token.attrs.get("href") or token.content))
        elif token.type not in plain:
            found["others"].append(token.type)
    return found


def calls(text: str) -> list[str]:
    """What would be live: Slack's forms anywhere; outside of code mentions, entities, emoji, bare URLs and formulas."""
    words = "".join(read(re.sub(r"^#+ :\w+: ", "", text))["words"])  # the template's own emoji
    return re.findall(r"<[!@#]|<https?://[^>|]*\|", text) + re.findall(
        r"<[!@#]|@[\w.-]+|:\w+:|(?i:\w://|www\.)|\$\w", words)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_people_wrote_calls_nobody_and_ends_nothing(text):  # defect 84
    body = request(title=text, description=text, source_branch=text, target_branch=text)
    body["user"]["name"] = body["user"]["username"] = text
    body["project"]["path_with_namespace"] = text
    body["labels"] = body["reviewers"] = [{"title": text, "name": text, "id": 4}]
    found = told(body)
    assert calls(found) == []
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", found)
    seen = read(found)
    assert seen["links"] == ["https://gitlab.example.com/shop/backend/-/merge_requests/7"]
    assert seen["pictures"] == seen["others"] == [] and len(seen["headings"]) == 1
    assert len(seen["blocks"]) <= 1 and (not seen["blocks"] or found.endswith("\n```"))


@given(st.text(), st.integers(0, 50))
def test_any_text_becomes_text(text, length):
    made = {name: getattr(markdown, name)(text, length) for name in ("plain", "code", "block")}
    for one in made.values():
        one.encode("utf-8")
        assert calls(one) == [] and "\r" not in one
    assert "\n" not in made["plain"] + made["code"]
    assert read("a " + made["plain"])["others"] == []
    (span,) = [token for token in MarkdownIt().parse("a " + made["code"]) if token.type == "inline"]
    assert [token.type for token in span.children] == ["text", "code_inline"][:2 if made["code"] else 1]
    blocks = [token.type for token in MarkdownIt().parse(made["block"])]
    assert blocks == (["fence"] if made["block"] else [])


@pytest.mark.parametrize(("text", "length", "cut"), [
    ("가나다라", 4, "가나다라"), ("가나다라마", 4, "가나다…"), ("ab cdef", 4, "ab…"), ("abc", 1, "…"), ("abc", 0, ""),
    ("cafe\u0301s!", 5, "caf…"),  # the accent is a character of its own
    ("a\U0001f468\u200d\U0001f469\u200d\U0001f467b", 4, "a…"),  # a family
    ("ab\U0001f44d\U0001f3fd!", 4, "ab…"),  # a thumb with its skin
    ("\U0001f1f0\U0001f1f7\U0001f1f0\U0001f1f7!", 4, "\U0001f1f0\U0001f1f7…"),  # two flags
    ("\u1112\u1161\u11ab\u1100\u1173\u11af", 3, "…"),  # Hangul in parts
    ("\U0001f600\U0001f600\U0001f600", 2, "\U0001f600…"),
])
def test_text_is_cut_by_what_is_seen(text, length, cut):
    assert markdown.cut(text, length) == cut


def test_a_message_is_never_longer_than_a_post():
    long = request(title="@" * 5000, description="`" * 100_000, source_branch="<" * 5000)
    long["labels"] = [{"title": "l" * 5000}] * 50
    assert len(told(long, declared(excerpt=4000))) <= 16383
    short = told(long, declared(excerpt=4000, limit=1500))
    assert len(short) <= 1500 and short.count("```") in (0, 2)
    assert len(told(long, declared(limit=1000, templates={"merge_request.open": ["{title}"] * 40}))) <= 1000


def test_what_has_no_room_goes_by_whole_lines():
    body = request(title="x" * 255, source_branch="f/" + "y" * 230)
    body["labels"] = [{"title": "l" * 100}] * 3 + [{"title": "@all " + "z" * 90}] * 3
    short = told(body, declared(limit=1000))
    assert short.endswith("\n\u2026") and calls(short) == [] and short.count("`") % 2 == 0
    assert set(short.split("\n")[:-1]) <= set(told(body).split("\n"))
    words = declared(limit=1000, templates={"merge_request.open": ["x" * 1001, "{author}"]})
    assert told(body, words) == "Kim Haneul\n\u2026"


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "https://x/\u202e", "https://x y", "ftp://x", "https://x\n", "https://x|y", "",
    "https://" + "x" * 3000, "//x"])
def test_only_a_url_is_linked(url):
    assert "](" not in told(request(url=url))


def test_parentheses_do_not_end_a_link():
    assert "(https://gitlab.example.com/%28x%29)" in told(request(url="https://gitlab.example.com/(x)"))


# ---------------------------------------------------------------- our own deployments


@pytest.mark.parametrize(("body", "lines"), [
    ({"application": "shop", "release": "1.4.2", "result": "deployed", "previous": "1.4.1", "by": "kim",
      "seconds": 12.4},
     ["#### :rocket: shop `1.4.2` is in service", "- Before: `1.4.1`", "- By: kim", "- Took: 12 s"]),
    ({"application": "shop", "release": "1.4.1", "result": "rolled_back", "url": "https://ci.example.com/7"},
     ["#### :rewind: shop is back at `1.4.1`", "[More](https://ci.example.com/7)"]),
    ({"application": "shop", "release": "1.4.3", "result": "failed", "previous": "1.4.2", "by": "@all",
      "reason": "not ready\n@all ```", "seconds": -1},
     ["#### :warning: shop `1.4.3` was not deployed", "- In service: `1.4.2`", "- By: @\u2060all",
      "```text\nnot ready\n@all ``\u2060`\n```"]),
])
def test_deployments_tell_of_themselves(body, lines):
    assert told(body, path="deploys") == "\n".join(lines)


@pytest.mark.parametrize("body", [
    {}, {"result": "maybe"}, {"result": "deployed"}, {"result": "deployed", "application": "x"}])
def test_what_is_no_deployment_is_refused(body):
    outcome = handle(delivery(body, path="deploys"), declared(), NOW)
    assert isinstance(outcome, Rejected) and outcome.status == 400


def test_a_token_of_gitlab_is_none_of_deployments():
    assert handle(Delivery("deploys", {"x-mooring-token": TOKEN}, b"{}"), declared(), NOW).status == 401
    assert handle(Delivery("deploys", {"x-gitlab-token": TOKEN}, b"{}"), declared(), NOW).status == 401


# ---------------------------------------------------------------- whatever comes


def test_what_came_before_is_known_by_its_name_and_body():
    one = delivery(request(), x_gitlab_event_uuid="a")
    assert identity(one) == identity(delivery(request(), x_gitlab_event_uuid="a")) != ""
    assert identity(one) != identity(delivery(request(8), x_gitlab_event_uuid="a")), "one followed from the other"
    assert identity(one) != identity(delivery(request(), x_gitlab_event_uuid="b"))
    assert identity(delivery(request(), idempotency_key="k", x_gitlab_event_uuid="a")) == identity(
        delivery(request(), idempotency_key="k", x_gitlab_event_uuid="b"))
    assert identity(delivery(request())) == "", "two equal ones without a name are two"
    headers = [{**signed(BODY), "idempotency-key": key, "x-gitlab-event-uuid": key} for key in "ab"]
    first, second = (identity(Delivery("gitlab", one, BODY)) for one in headers)
    assert first == second, "what is not signed does not make it another"


KEYS = ("object_attributes", "user", "project", "merge_request", "builds", "labels", "reviewers", "action", "title",
        "id", "iid", "url", "name", "status", "noteable_type", "oldrev", "path_with_namespace", "result", "application",
        "release", "seconds", "author_id", "draft", "source", "ref", "sha")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25)


@given(JSON, st.sampled_from(["Merge Request Hook", "Note Hook", "Pipeline Hook", "deploys"]))
def test_nothing_that_is_json_breaks_it(body, event):
    path = "deploys" if event == "deploys" else "gitlab"
    outcome = handle(delivery(body, event, path), declared(), NOW)
    assert isinstance(outcome, (Message, Ignored, Rejected))
    if isinstance(outcome, Message):
        outcome.post["text"].encode("utf-8")


def test_nothing_that_almost_is_an_event_breaks_it():
    chance = random.Random(86)
    good = json.dumps(request(description="text", labels=[{"title": "x"}])).encode()
    for _number in range(2000):
        broken = bytearray(good)
        for _change in range(chance.randrange(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        assert isinstance(handle(delivery(bytes(broken)), declared(), NOW), (Message, Ignored, Rejected))
