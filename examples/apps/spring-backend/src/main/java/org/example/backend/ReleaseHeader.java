// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.stereotype.Component;
import org.springframework.web.filter.OncePerRequestFilter;

/** Every answer says which release gave it: a deployment proves by it that the proxy was switched. */
@Component
@Order(Ordered.HIGHEST_PRECEDENCE)
class ReleaseHeader extends OncePerRequestFilter {
    private final Settings settings;

    ReleaseHeader(Settings settings) {
        this.settings = settings;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        response.setHeader("X-Release", settings.release());
        chain.doFilter(request, response);
    }

    /** The page of an error is made in a dispatch of its own, after what was set before was thrown away. */
    @Override
    protected boolean shouldNotFilterErrorDispatch() {
        return false;
    }
}
