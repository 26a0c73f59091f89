// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.mock.env.MockEnvironment;

class StoreSettingsTest {
    private static final String GOOD = "jdbc:mysql://mysql:3306/shop?sslMode=REQUIRED";

    private static MockEnvironment complete() {
        return new MockEnvironment()
                .withProperty("spring.datasource.url", GOOD)
                .withProperty("spring.datasource.username", "shop")
                .withProperty("spring.datasource.password", "sentinel-password")
                .withProperty("spring.data.redis.password", "sentinel-password");
    }

    @Test
    void completeSettingsAreTaken() {
        assertThatCode(() -> StoreSettings.check(complete())).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {
        GOOD,
        "jdbc:mysql://mysql/Taken?sslMode=VERIFY_CA&connectTimeout=1000",
        "jdbc:mysql://first:3306,second:3306/shop?sslmode=verify_identity",
        GOOD + "&allowPublicKeyRetrieval=false",
    })
    void goodUrls(String url) {
        assertThat(StoreSettings.problemsOfUrl(url)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "''                                                    | is not set",
        "jdbc:postgresql://postgres/shop                       | is not of the form",
        "jdbc:mysql://(host=mysql)/shop?sslMode=REQUIRED&user=x| holds credentials",
        "jdbc:mysql://shop:secret@mysql/shop?sslMode=REQUIRED  | holds credentials",
        "jdbc:mysql://mysql/shop?sslMode=REQUIRED&Password=x   | holds credentials",
        "jdbc:mysql:///shop?sslMode=REQUIRED                   | names no server",
        "jdbc:mysql://mysql/:3306/TAKEN?sslMode=REQUIRED       | has a slash between server and port", // defect 25
        "jdbc:mysql://mysql:3306?sslMode=REQUIRED              | must name one schema", // defect 24
        "jdbc:mysql://mysql:3306/?sslMode=REQUIRED             | must name one schema",
        "jdbc:mysql://mysql:3306/shop/x?sslMode=REQUIRED       | must name one schema",
        "jdbc:mysql://mysql:3306/shop                          | needs sslMode=REQUIRED",
        "jdbc:mysql://mysql:3306/shop?sslMode=PREFERRED        | needs sslMode=REQUIRED",
        "jdbc:mysql://mysql:3306/shop?useSSL=false             | has useSSL", // defect 30
        "jdbc:mysql://mysql:3306/shop?sslMode=REQUIRED&useSSL=false                | has useSSL",
        "jdbc:mysql://mysql:3306/shop?sslMode=REQUIRED&allowPublicKeyRetrieval=true| has allowPublicKeyRetrieval",
    })
    void badUrls(String url, String problem) {
        assertThat(StoreSettings.problemsOfUrl(url)).anySatisfy(found -> assertThat(found).contains(problem));
    }

    @Test
    void everyProblemIsNamedAtOnceAndNoValue() {
        MockEnvironment settings = complete()
                .withProperty("spring.datasource.url", "jdbc:mysql://shop:sentinel-password@mysql/shop")
                .withProperty("spring.datasource.username", " ")
                .withProperty("spring.data.redis.password", ""); // defect 27
        assertThatThrownBy(() -> StoreSettings.check(settings))
                .isInstanceOf(StoreSettings.Refused.class)
                .hasMessageContainingAll(
                        "holds credentials", "needs sslMode", "datasource.username is not set", "redis.password is not")
                .hasMessageNotContaining("sentinel-password");
    }

    @Test
    void aRefusalIsShownWithItsRemedy() {
        assertThatThrownBy(() -> StoreSettings.check(new MockEnvironment())).satisfies(error -> {
            FailureAnalysis shown = new StoreSettings.Analyzer().analyze(error);
            assertThat(shown.getDescription()).contains("spring.datasource.url is not set");
            assertThat(shown.getAction()).contains("application-secret.yml");
        });
    }
}
