// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import java.util.List;
import org.flywaydb.core.Flyway;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.ConfigurableApplicationContext;

/** {@code java -jar spring-backend.jar} serves; with {@code --migrate} it makes the tables and ends. */
@SpringBootApplication
@EnableConfigurationProperties(Settings.class)
public class Backend {
    public static void main(String[] arguments) {
        SpringApplicationBuilder application = new SpringApplicationBuilder(Backend.class)
                .initializers(context -> StoreSettings.check(context.getEnvironment()));
        if (List.of(arguments).contains("--migrate")) {
            ConfigurableApplicationContext context = application.web(WebApplicationType.NONE).run(Migration.SETTINGS);
            boolean done = Migration.run(context.getBean(Flyway.class));
            System.exit(SpringApplication.exit(context, () -> done ? 0 : 1));
        }
        application.run(arguments);
    }
}
