// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.Status;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.dao.DataAccessException;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.dao.QueryTimeoutException;

@ExtendWith(OutputCaptureExtension.class)
class ProbeTest {
    private final AtomicReference<DataAccessException> failure = new AtomicReference<>();
    private final Probe probe = new Probe("MySQL", Duration.ofSeconds(10), () -> {
        if (failure.get() != null) {
            throw failure.get();
        }
    });

    @Test
    void theReasonIsWhatLiesAtTheBottomInOneLine() {
        failure.set(new DataAccessResourceFailureException(
                "no connection", new SQLException("timed out", new SQLException("Access denied\n\n for user 'shop'"))));
        Health health = probe.health();
        assertThat(health.getStatus()).isEqualTo(Status.DOWN);
        assertThat(health.getDetails()).containsExactly(
                Map.entry("reason", "SQLException: Access denied for user 'shop'"));
        assertThat(Probe.reason(new QueryTimeoutException(null))).isEqualTo("QueryTimeoutException");
    }

    @Test
    void aQuestionThatHangsIsAnsweredInTimeAndLeavesTheNextOneAlone() {
        CountDownLatch never = new CountDownLatch(1);
        AtomicReference<Boolean> hangs = new AtomicReference<>(true);
        Probe slow = new Probe("MySQL", Duration.ofMillis(500), () -> {
            if (hangs.get()) {
                try {
                    never.await();
                } catch (InterruptedException error) {
                    throw new QueryTimeoutException("interrupted", error);
                }
            }
        });
        assertThat(slow.health().getDetails()).containsEntry("reason", "no answer within 500 ms");
        hangs.set(false);
        assertThat(slow.health().getStatus()).isEqualTo(Status.UP);
    }

    @Test
    void onlyAChangeIsLogged(CapturedOutput output) {
        for (int asked = 0; asked < 3; asked++) {
            assertThat(probe.health().getStatus()).isEqualTo(Status.UP);
        }
        failure.set(new QueryTimeoutException("too slow after 2014 ms"));
        probe.health();
        failure.set(new QueryTimeoutException("too slow after 2001 ms"));
        probe.health();
        failure.set(null);
        assertThat(probe.health().getStatus()).isEqualTo(Status.UP);
        assertThat(output.getOut().split("MySQL can be used", -1)).hasSize(3);
        assertThat(output.getOut().split("MySQL cannot be used: QueryTimeoutException: too slow", -1)).hasSize(2);
    }
}
