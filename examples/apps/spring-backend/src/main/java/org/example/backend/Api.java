// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.dao.DataAccessException;
import org.springframework.http.HttpStatus;
import org.springframework.http.ProblemDetail;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/** What is answered below /api. */
@RestController
class Api {
    /** A request that lasts longer than a deployment drains would be cut off. */
    static final int SLOW_LIMIT_SECONDS = 60;

    private static final Logger LOG = LoggerFactory.getLogger(Api.class);

    private final Stores stores;
    private final Settings settings;

    Api(Stores stores, Settings settings) {
        this.stores = stores;
        this.settings = settings;
    }

    record Hello(String release, String colour, long visits, long answers) {}

    @GetMapping("/api/hello")
    Hello hello() {
        return new Hello(settings.release(), settings.colour(), stores.visit(), stores.answer(settings.release()));
    }

    /** Answers late, to try what becomes of a request that runs while the service is stopped. */
    @GetMapping("/api/slow")
    Map<String, Object> slow(@RequestParam double seconds) throws InterruptedException {
        if (!(seconds >= 0 && seconds <= SLOW_LIMIT_SECONDS)) {
            throw new ResponseStatusException(
                    HttpStatus.BAD_REQUEST, "seconds must be from 0 to " + SLOW_LIMIT_SECONDS + ".");
        }
        Thread.sleep(Math.round(seconds * 1000));
        return Map.of("release", settings.release(), "seconds", seconds);
    }

    @ExceptionHandler
    ProblemDetail unavailable(DataAccessException error) {
        LOG.error("A request failed: {}", Probe.reason(error));
        return ProblemDetail.forStatusAndDetail(HttpStatus.SERVICE_UNAVAILABLE, "MySQL or Redis is not available.");
    }
}
