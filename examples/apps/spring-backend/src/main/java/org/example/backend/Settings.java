// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;

/**
 * What application.yml takes from the environment.
 *
 * @param release the image's tag
 * @param colour where it runs: blue, green or none
 * @param drainNotice how long requests are still accepted after SIGTERM, while readiness is refused
 */
@ConfigurationProperties("backend")
record Settings(String release, String colour, Duration drainNotice) {}
