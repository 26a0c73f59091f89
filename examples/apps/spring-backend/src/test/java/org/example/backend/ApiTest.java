// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package org.example.backend;

import static org.mockito.BDDMockito.given;
import static org.springframework.test.web.servlet.request.MockMvcRequestBuilders.get;
import static org.springframework.test.web.servlet.result.MockMvcResultMatchers.content;
import static org.springframework.test.web.servlet.result.MockMvcResultMatchers.header;
import static org.springframework.test.web.servlet.result.MockMvcResultMatchers.jsonPath;
import static org.springframework.test.web.servlet.result.MockMvcResultMatchers.status;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.autoconfigure.web.servlet.WebMvcTest;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.test.context.bean.override.mockito.MockitoBean;
import org.springframework.test.web.servlet.MockMvc;

@WebMvcTest(value = Api.class, properties = {"backend.release=1.4.2", "backend.colour=blue"})
class ApiTest {
    @Autowired
    private MockMvc client;

    @MockitoBean
    private Stores stores;

    @Test
    void helloGoesThroughBothStores() throws Exception {
        given(stores.visit()).willReturn(7L);
        given(stores.answer("1.4.2")).willReturn(3L);
        client.perform(get("/api/hello"))
                .andExpect(status().isOk())
                .andExpect(header().string("X-Release", "1.4.2"))
                .andExpect(content().json("{release: '1.4.2', colour: 'blue', visits: 7, answers: 3}"));
    }

    @Test
    void aStoreThatIsNotThereIsNoStackTrace() throws Exception {
        given(stores.visit()).willThrow(new DataAccessResourceFailureException("sentinel: Access denied"));
        client.perform(get("/api/hello"))
                .andExpect(status().isServiceUnavailable())
                .andExpect(header().string("X-Release", "1.4.2"))
                .andExpect(jsonPath("$.detail").value("MySQL or Redis is not available."));
    }

    @Test
    void slowAnswers() throws Exception {
        client.perform(get("/api/slow?seconds=0.01")).andExpect(status().isOk());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/api/slow", "/api/slow?seconds=x", "/api/slow?seconds=-1", "/api/slow?seconds=61",
        "/api/slow?seconds=NaN"})
    void slowIsBounded(String path) throws Exception {
        client.perform(get(path)).andExpect(status().isBadRequest()).andExpect(header().string("X-Release", "1.4.2"));
    }

    @Test
    void whatIsNotThereHasAReleaseToo() throws Exception {
        client.perform(get("/nothing"))
                .andExpect(status().isNotFound())
                .andExpect(header().string("X-Release", "1.4.2"));
    }
}
