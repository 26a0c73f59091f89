// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.core.NestedExceptionUtils;
import org.springframework.scheduling.concurrent.CustomizableThreadFactory;

/**
 * Health of one store, with the reason in one line.
 *
 * <p>Readiness is asked several times a second during a deployment. Spring's own indicators log a stack trace each
 * time; this one logs one line when the answer becomes another. And it answers in time: a driver whose packets vanish
 * waits for its own, longer limit.
 */
final class Probe implements HealthIndicator {
    private static final Logger LOG = LoggerFactory.getLogger(Probe.class);
    private static final String UP = "";

    private final String store;
    private final Runnable question;
    private final Duration limit;
    /** One thread, so that questions that hang do not pile up: the next one waits its turn, in vain as well. */
    private final ExecutorService thread;
    private final AtomicReference<String> known = new AtomicReference<>();

    /** {@code question} throws if the store cannot be used. */
    Probe(String store, Duration limit, Runnable question) {
        this.store = store;
        this.question = question;
        this.limit = limit;
        CustomizableThreadFactory threads = new CustomizableThreadFactory("probe-" + store + "-");
        threads.setDaemon(true);
        this.thread = Executors.newSingleThreadExecutor(threads);
    }

    @Override
    public Health health() {
        String reason = ask();
        // Durations and ports in a reason make it no other one.
        String kind = reason.replaceAll("\\d+", "#");
        if (!kind.equals(known.getAndSet(kind))) {
            if (reason.equals(UP)) {
                LOG.info("{} can be used.", store);
            } else {
                LOG.error("{} cannot be used: {}", store, reason);
            }
        }
        return reason.equals(UP) ? Health.up().build() : Health.down().withDetail("reason", reason).build();
    }

    private String ask() {
        Future<?> asked = thread.submit(question);
        try {
            asked.get(limit.toMillis(), TimeUnit.MILLISECONDS);
            return UP;
        } catch (ExecutionException error) {
            return reason(error.getCause());
        } catch (TimeoutException error) {
            asked.cancel(true);
            return "no answer within " + limit.toMillis() + " ms";
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            return "nobody waited for its answer";
        }
    }

    /** What is at the bottom of an error, in one line. */
    static String reason(Throwable error) {
        Throwable cause = NestedExceptionUtils.getMostSpecificCause(error);
        String message = cause.getMessage() == null ? "" : ": " + cause.getMessage().strip().replaceAll("\\s+", " ");
        return cause.getClass().getSimpleName() + message;
    }
}
