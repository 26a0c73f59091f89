# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the messages, by language and kind of event.

A template is a list of lines. A line in which a placeholder has nothing to say is left out.
"""

from __future__ import annotations

import string
import typing as t

# What may stand in the templates of each group of kinds.
FIELDS: dict[str, frozenset[str]] = {
    "merge_request": frozenset(
        ("actor", "author", "project", "title", "source", "target", "reviewers", "labels", "description")),
    "comment": frozenset(("actor", "author", "project", "title", "comment")),
    "pipeline": frozenset(("actor", "project", "title", "branch", "commit", "jobs", "duration")),
    "deploy": frozenset(("actor", "title", "application", "release", "previous", "reason", "duration")),
}

_EN_ABOUT, _KO_ABOUT = ("{title}", "- Project: {project}"), ("{title}", "- 프로젝트: {project}")
_EN_REQUEST = (*_EN_ABOUT, "- Branches: {source} \u2192 {target}")
_KO_REQUEST = (*_KO_ABOUT, "- 브랜치: {source} \u2192 {target}")
_EN_PIPELINE = (*_EN_ABOUT, "- Branch: {branch}", "- Commit: {commit}")
_KO_PIPELINE = (*_KO_ABOUT, "- 브랜치: {branch}", "- 커밋: {commit}")
_EN_AUTHOR, _KO_AUTHOR = "- Author: {author}", "- 작성자: {author}"

TEMPLATES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "merge_request.open": (
            "#### :star: {author} asks for a review", *_EN_REQUEST, "- Reviewers: {reviewers}", "- Labels: {labels}",
            "{description}"),
        "merge_request.ready": (
            "#### :star: {author} asks for a review", *_EN_REQUEST, "- Reviewers: {reviewers}", "{description}"),
        "merge_request.reopen": (
            "#### :star: {author} asks for a review again", *_EN_REQUEST, "- Reopened by: {actor}",
            "- Reviewers: {reviewers}", "{description}"),
        "merge_request.update": ("#### :arrows_counterclockwise: {actor} pushed new commits", *_EN_REQUEST),
        "merge_request.approved": ("#### :thumbsup: {actor} approved", *_EN_REQUEST, _EN_AUTHOR),
        "merge_request.unapproved": (
            "#### :leftwards_arrow_with_hook: {actor} took the approval back", *_EN_REQUEST, _EN_AUTHOR),
        "merge_request.merge": ("#### :white_check_mark: {actor} merged", *_EN_REQUEST, _EN_AUTHOR),
        "merge_request.close": ("#### :no_entry_sign: {actor} closed without merging", *_EN_REQUEST, _EN_AUTHOR),
        "comment": ("#### :speech_balloon: {actor} commented", *_EN_ABOUT, _EN_AUTHOR, "{comment}"),
        "pipeline.failed": (
            "#### :red_circle: A pipeline failed", *_EN_PIPELINE, "- Failed jobs: {jobs}", "- By: {actor}"),
        "pipeline.recovered": ("#### :large_green_circle: Pipelines succeed again", *_EN_PIPELINE, "- By: {actor}"),
        "deploy.deployed": (
            "#### :rocket: {application} {release} is in service", "{title}", "- Before: {previous}", "- By: {actor}",
            "- Took: {duration}"),
        "deploy.rolled_back": (
            "#### :rewind: {application} is back at {release}", "{title}", "- Before: {previous}", "- By: {actor}",
            "- Took: {duration}"),
        "deploy.failed": (
            "#### :warning: {application} {release} was not deployed", "{title}", "- In service: {previous}",
            "- By: {actor}", "{reason}"),
    },
    "ko": {
        "merge_request.open": (
            "#### :star: {author}님의 MR을 리뷰해 주세요!", *_KO_REQUEST, "- 리뷰어: {reviewers}", "- 라벨: {labels}",
            "{description}"),
        "merge_request.ready": (
            "#### :star: {author}님의 MR을 리뷰해 주세요!", *_KO_REQUEST, "- 리뷰어: {reviewers}", "{description}"),
        "merge_request.reopen": (
            "#### :star: 다시 열린 {author}님의 MR을 리뷰해 주세요!", *_KO_REQUEST, "- 다시 연 사람: {actor}",
            "- 리뷰어: {reviewers}", "{description}"),
        "merge_request.update": ("#### :arrows_counterclockwise: {actor}님이 MR에 새 커밋을 올렸어요", *_KO_REQUEST),
        "merge_request.approved": ("#### :thumbsup: {actor}님이 MR을 승인했어요", *_KO_REQUEST, _KO_AUTHOR),
        "merge_request.unapproved": (
            "#### :leftwards_arrow_with_hook: {actor}님이 MR 승인을 취소했어요", *_KO_REQUEST, _KO_AUTHOR),
        "merge_request.merge": ("#### :white_check_mark: {actor}님이 MR을 머지했어요", *_KO_REQUEST, _KO_AUTHOR),
        "merge_request.close": (
            "#### :no_entry_sign: {actor}님이 MR을 머지하지 않고 닫았어요", *_KO_REQUEST, _KO_AUTHOR),
        "comment": ("#### :speech_balloon: {actor}님이 댓글을 남겼어요", *_KO_ABOUT, _KO_AUTHOR, "{comment}"),
        "pipeline.failed": (
            "#### :red_circle: 파이프라인이 실패했어요", *_KO_PIPELINE, "- 실패한 작업: {jobs}",
            "- 실행한 사람: {actor}"),
        "pipeline.recovered": (
            "#### :large_green_circle: 파이프라인이 다시 성공했어요", *_KO_PIPELINE, "- 실행한 사람: {actor}"),
        "deploy.deployed": (
            "#### :rocket: {application} {release} 배포를 마쳤어요", "{title}", "- 이전 버전: {previous}",
            "- 배포한 사람: {actor}", "- 걸린 시간: {duration}"),
        "deploy.rolled_back": (
            "#### :rewind: {application}: {release} 버전으로 되돌렸어요", "{title}", "- 이전 버전: {previous}",
            "- 되돌린 사람: {actor}", "- 걸린 시간: {duration}"),
        "deploy.failed": (
            "#### :warning: {application} {release} 배포에 실패했어요", "{title}", "- 서비스 중인 버전: {previous}",
            "- 배포한 사람: {actor}", "{reason}"),
    },
}

KINDS = tuple(TEMPLATES["en"])

SECONDS = {"en": "{} s", "ko": "{}초"}
PIPELINE = {"en": "Pipeline {}", "ko": "파이프라인 {}"}
LOGS = {"en": "More", "ko": "자세히 보기"}
SOMEBODY = {"en": "Somebody", "ko": "누군가"}
AND_MORE = {"en": "and {} more", "ko": "외 {}개"}


def placeholders(lines: t.Iterable[str]) -> frozenset[str]:
    """The names that stand in braces."""
    return frozenset(name for line in lines for _text, name, _form, _conversion in string.Formatter().parse(line)
                     if name)


def fill(lines: t.Iterable[str], values: t.Mapping[str, str]) -> str:
    """The message: each line whose placeholders all have something to say; "" if none has."""
    return "\n".join(line.format_map(values) for line in lines
                     if all(values.get(name) for name in placeholders([line])))
