// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.core.env.PropertyResolver;
import org.springframework.util.StringUtils;

/** Judges how MySQL and Redis are reached before anything is started. No message repeats a value: one may be secret. */
final class StoreSettings {
    private static final String URL = "spring.datasource.url";
    private static final List<String> REQUIRED =
            List.of("spring.datasource.username", "spring.datasource.password", "spring.data.redis.password");
    private static final Pattern FORM =
            Pattern.compile("jdbc:mysql://(?<server>[^/?]*)(?:/(?<schema>[^?]*))?(?:\\?(?<options>.*))?");
    private static final Set<String> ENCRYPTED = Set.of("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY");

    private StoreSettings() {}

    /** Every problem is reported at once, so that nobody corrects one per start. */
    static void check(PropertyResolver settings) {
        List<String> problems = new ArrayList<>(problemsOfUrl(settings.getProperty(URL)));
        for (String name : REQUIRED) {
            if (!StringUtils.hasText(settings.getProperty(name))) {
                problems.add(name + " is not set");
            }
        }
        if (!problems.isEmpty()) {
            throw new Refused(problems);
        }
    }

    /** Why Connector/J should not be given this URL; empty if it may. */
    static List<String> problemsOfUrl(String url) {
        if (!StringUtils.hasText(url)) {
            return List.of(URL + " is not set");
        }
        Matcher parts = FORM.matcher(url);
        if (!parts.matches()) {
            return List.of(URL + " is not of the form jdbc:mysql://server:port/schema?sslMode=REQUIRED");
        }
        List<String> problems = new ArrayList<>();
        String server = parts.group("server");
        String schema = parts.group("schema");
        Map<String, String> options = options(parts.group("options"));
        if (server.contains("@") || options.containsKey("user") || options.containsKey("password")) {
            problems.add(URL + " holds credentials, which are logged with it: use spring.datasource.username");
        }
        if (server.isEmpty()) {
            problems.add(URL + " names no server");
        }
        if (schema != null && schema.startsWith(":")) {
            problems.add(URL + " has a slash between server and port");
        } else if (!StringUtils.hasText(schema) || schema.contains("/")) {
            problems.add(URL + " must name one schema after the server, in the server's upper and lower case");
        }
        // Connector/J's own default, PREFERRED, goes on in plain text if TLS fails.
        if (!ENCRYPTED.contains(options.getOrDefault("sslmode", "").toUpperCase(Locale.ROOT))) {
            problems.add(URL + " needs sslMode=REQUIRED, VERIFY_CA or VERIFY_IDENTITY");
        }
        for (String old : List.of("useSSL", "requireSSL", "verifyServerCertificate")) {
            if (options.containsKey(old.toLowerCase(Locale.ROOT))) {
                problems.add(URL + " has " + old + ", which sslMode replaces");
            }
        }
        if (options.getOrDefault("allowpublickeyretrieval", "false").equalsIgnoreCase("true")) {
            problems.add(URL + " has allowPublicKeyRetrieval, which shows the password to whoever poses as the server");
        }
        return problems;
    }

    private static Map<String, String> options(String text) {
        Map<String, String> options = new TreeMap<>();
        for (String option : StringUtils.tokenizeToStringArray(text, "&")) {
            String[] pair = option.split("=", 2);
            options.put(pair[0].toLowerCase(Locale.ROOT), pair.length > 1 ? pair[1] : "");
        }
        return options;
    }

    /** The settings are wrong in at least one way. */
    static final class Refused extends RuntimeException {
        private Refused(List<String> problems) {
            super(String.join("; ", problems) + ".");
        }
    }

    /** Shows it as a message for a person instead of a stack trace; META-INF/spring.factories names it. */
    static final class Analyzer extends AbstractFailureAnalyzer<Refused> {
        @Override
        protected FailureAnalysis analyze(Throwable root, Refused cause) {
            return new FailureAnalysis(
                    cause.getMessage(), "Correct /run/secrets/application-secret.yml or the environment.", cause);
        }
    }
}
