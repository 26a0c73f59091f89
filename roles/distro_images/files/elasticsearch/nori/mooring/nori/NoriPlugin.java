/*
 * Copyright (c) 2026, The mooring.stack authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
package mooring.nori;

import java.io.IOException;
import java.io.StringReader;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.ko.KoreanAnalyzer;
import org.apache.lucene.analysis.ko.KoreanNumberFilter;
import org.apache.lucene.analysis.ko.KoreanPartOfSpeechStopFilter;
import org.apache.lucene.analysis.ko.KoreanReadingFormFilter;
import org.apache.lucene.analysis.ko.KoreanTokenizer;
import org.apache.lucene.analysis.ko.POS;
import org.apache.lucene.analysis.ko.dict.UserDictionary;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.analysis.AbstractIndexAnalyzerProvider;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.AbstractTokenizerFactory;
import org.elasticsearch.index.analysis.AnalyzerProvider;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;

/**
 * The analyser, tokeniser and filters that Elastic's plugin analysis-nori has, over the same classes of Lucene.
 *
 * <p>Elastic's plugin is in no package repository. Names, settings and their defaults are those of its reference
 * ("Korean (nori) analysis plugin"), so an index that was made with the one can be read with the other; of the
 * settings only the dictionary as a file (user_dictionary) is missing.
 */
public class NoriPlugin extends Plugin implements AnalysisPlugin {

    /** One step of a chain of filters. */
    private interface Step {
        TokenStream on(TokenStream stream);
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("nori_tokenizer", (index, environment, name, settings) -> tokenizer(name, settings));
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of(
            "nori_part_of_speech", (index, environment, name, settings) -> {
                Set<POS.Tag> tags = tags(settings);
                return filter(name, stream -> new KoreanPartOfSpeechStopFilter(stream, tags));
            },
            "nori_readingform", (index, environment, name, settings) -> filter(name, KoreanReadingFormFilter::new),
            "nori_number", (index, environment, name, settings) -> filter(name, KoreanNumberFilter::new));
    }

    @Override
    public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
        return Map.of("nori", (index, environment, name, settings) -> analyzer(name, settings));
    }

    private static TokenizerFactory tokenizer(String name, Settings settings) throws IOException {
        UserDictionary words = words(settings);
        KoreanTokenizer.DecompoundMode mode = mode(settings);
        boolean discard = settings.getAsBoolean("discard_punctuation", true);
        return new AbstractTokenizerFactory(name) {
            @Override
            public Tokenizer create() {
                return new KoreanTokenizer(KoreanTokenizer.DEFAULT_TOKEN_ATTRIBUTE_FACTORY, words, mode, false, discard);
            }
        };
    }

    private static TokenFilterFactory filter(String name, Step step) {
        return new AbstractTokenFilterFactory(name) {
            @Override
            public TokenStream create(TokenStream stream) {
                return step.on(stream);
            }
        };
    }

    private static AnalyzerProvider<Analyzer> analyzer(String name, Settings settings) throws IOException {
        Analyzer made = new KoreanAnalyzer(words(settings), mode(settings), tags(settings), false);
        return new AbstractIndexAnalyzerProvider<Analyzer>(name) {
            @Override
            public Analyzer get() {
                return made;
            }
        };
    }

    private static KoreanTokenizer.DecompoundMode mode(Settings settings) {
        String given = settings.get("decompound_mode", "discard");
        return KoreanTokenizer.DecompoundMode.valueOf(given.toUpperCase(Locale.ENGLISH));
    }

    private static Set<POS.Tag> tags(Settings settings) {
        List<String> given = settings.getAsList("stoptags", null);
        if (given == null) {
            return KoreanPartOfSpeechStopFilter.DEFAULT_STOP_TAGS;
        }
        Set<POS.Tag> tags = EnumSet.noneOf(POS.Tag.class);
        given.forEach(tag -> tags.add(POS.resolveTag(tag)));
        return tags;
    }

    private static UserDictionary words(Settings settings) throws IOException {
        if (settings.get("user_dictionary") != null) {
            throw new IllegalArgumentException("user_dictionary is not known here; use user_dictionary_rules");
        }
        List<String> rules = settings.getAsList("user_dictionary_rules");
        return rules.isEmpty() ? null : UserDictionary.open(new StringReader(String.join("\n", rules)));
    }
}
