// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import java.sql.Statement;
import java.time.Duration;
import java.util.Objects;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.data.redis.connection.RedisConnectionCommands;
import org.springframework.data.redis.core.RedisCallback;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.support.GeneratedKeyHolder;
import org.springframework.stereotype.Repository;

/** What is kept in MySQL and Redis. */
@Repository
class Stores {
    private static final String KEYS = "spring-backend:";

    private final JdbcTemplate mysql;
    private final StringRedisTemplate redis;

    Stores(JdbcTemplate mysql, StringRedisTemplate redis) {
        this.mysql = mysql;
        this.redis = redis;
    }

    /** Counts a visit in MySQL; the number of all visits. */
    long visit() {
        GeneratedKeyHolder counted = new GeneratedKeyHolder();
        // LAST_INSERT_ID(x) hands x to this connection, whoever counts at the same time.
        mysql.update(connection -> connection.prepareStatement(
                "UPDATE visits SET total = LAST_INSERT_ID(total + 1) WHERE id = 1",
                Statement.RETURN_GENERATED_KEYS), counted);
        return Objects.requireNonNull(counted.getKey(), "the table visits has lost its row").longValue();
    }

    /** Counts an answer of a release in Redis; the number of its answers. */
    long answer(String release) {
        return Objects.requireNonNull(redis.opsForValue().increment(KEYS + "answers:" + release));
    }

    /** Fails unless MySQL answers and the migration has run. */
    void askMysql() {
        mysql.queryForObject("SELECT total FROM visits WHERE id = 1", Long.class);
    }

    /** Fails unless Redis lets this account in. */
    void askRedis() {
        redis.execute((RedisCallback<String>) RedisConnectionCommands::ping);
    }

    /** Under these names they replace Spring's own indicators. */
    @Configuration(proxyBeanMethods = false)
    static class Health {
        /** Twice this is less than app_blue_green waits for an answer, and once is more than application.yml allows. */
        private static final Duration LIMIT = Duration.ofSeconds(2);

        @Bean
        HealthIndicator dbHealthIndicator(Stores stores) {
            return new Probe("MySQL", LIMIT, stores::askMysql);
        }

        @Bean
        HealthIndicator redisHealthIndicator(Stores stores) {
            return new Probe("Redis", LIMIT, stores::askRedis);
        }
    }
}
