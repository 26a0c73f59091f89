// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.SmartLifecycle;
import org.springframework.stereotype.Component;

/**
 * The first to be stopped on SIGTERM: goes on serving for a moment while readiness is refused.
 *
 * <p>Tomcat answers 503 to a request that arrives on an open connection once it drains. Whoever asks for readiness
 * needs the time to see that it should send no more.
 */
@Component
@ConditionalOnWebApplication
class DrainNotice implements SmartLifecycle {
    private static final Logger LOG = LoggerFactory.getLogger(DrainNotice.class);

    private final Settings settings;
    private volatile boolean running;

    DrainNotice(Settings settings) {
        this.settings = settings;
    }

    @Override
    public void start() {
        running = true;
    }

    @Override
    public void stop() {
        running = false;
        LOG.info("Shutting down: not ready from now on, requests are accepted for {}.", settings.drainNotice());
        try {
            Thread.sleep(settings.drainNotice().toMillis());
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    /** The highest phase stops first; the web server's is lower. */
    @Override
    public int getPhase() {
        return DEFAULT_PHASE;
    }
}
