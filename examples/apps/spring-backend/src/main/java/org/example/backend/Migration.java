// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.autoconfigure.flyway.FlywayMigrationStrategy;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The command {@code --migrate}. */
@Configuration(proxyBeanMethods = false)
class Migration {
    /** Unlike the service it is asked nothing meanwhile: it may take its time, and a refused login ends it. */
    static final String[] SETTINGS = {
        "--spring.flyway.enabled=true",
        "--spring.datasource.hikari.connection-timeout=30000",
        "--spring.datasource.hikari.initialization-fail-timeout=1",
        "--spring.datasource.hikari.data-source-properties.socketTimeout=0",
    };

    private static final Logger LOG = LoggerFactory.getLogger(Migration.class);

    /** Otherwise Spring would migrate before anybody could say in one line why that failed. */
    @Bean
    FlywayMigrationStrategy notOnItsOwn() {
        return flyway -> {};
    }

    /** Brings the tables to this release's state; whether that succeeded. */
    static boolean run(Flyway flyway) {
        try {
            flyway.migrate();
        } catch (FlywayException error) {
            LOG.error("The migration failed: {}", Probe.reason(error));
            return false;
        }
        LOG.info("The tables are as this release needs them.");
        return true;
    }
}
