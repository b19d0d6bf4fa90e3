// Cases of regular expressions and date patterns with the answers of Java's own
// classes, one a line: tab-separated fields, texts as hexadecimal UTF-8.
//
//   P pattern ms text              SimpleDateFormat.format
//   T pattern text ms|-            SimpleDateFormat.parse
//   C pattern ok|bad               new SimpleDateFormat(pattern)
//   R pattern text replacement answer
//     answer: "bad", or matches "," groups of up to three finds "," the result
//     of replaceAll, or "!" and the message of what it threw
//
// usage: JavaText SEED DATES TEXTS REGEXES
import java.nio.charset.StandardCharsets;
import java.text.ParsePosition;
import java.text.SimpleDateFormat;
import java.util.Date;
import java.util.Locale;
import java.util.Random;
import java.util.TimeZone;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

public class JavaText {
    static Random random;
    static final StringBuilder out = new StringBuilder();

    static String hex(String s) {
        StringBuilder b = new StringBuilder("x");
        for (byte c : s.getBytes(StandardCharsets.UTF_8)) b.append(String.format("%02x", c));
        return b.toString();
    }

    static void line(String... fields) {
        out.append(String.join("\t", fields)).append('\n');
        if (out.length() > 100000) flush();
    }

    static void flush() {
        System.out.print(out);
        out.setLength(0);
    }

    static int below(int n) {
        return random.nextInt(n);
    }

    static String pick(String... of) {
        return of[below(of.length)];
    }

    // --- dates -------------------------------------------------------------------

    static final String[] PATTERNS = {
        "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "yyyyMMdd", "yyyyMMddHHmmss", "yy/M/d", "dd.MM.yy",
        "EEE MMM dd HH:mm:ss z yyyy", "EEEE, d MMMM yyyy G", "YYYY-'W'ww-u", "YYYY.'w'ww", "yyyy-DDD", "hh:mm a",
        "K 'o''clock' a", "yyyy-MM-dd HH:mm:ssZ", "yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-dd'T'HH:mm:ssX",
        "MMM d, yyyy h:mm:ss a", "F EEE MMMM yyyy", "W MMM yyyy", "w yyyy", "kk:mm", "LLLL", "MMMM", "LLL yy",
        "SSS", "yyyy", "y", "YY", "HHmmssSSS", "d/M/yyyy", "EEE, dd MMM yyyy HH:mm:ss Z", "u", "G yyyy", "",
        "'", "''", "yyyy'", "b", "XXXX", "yyyy-MM-dd n", "yyyy EEE w", "dd MMM W EEE", "MM F E yyyy", "YYYY w E",
        "YYYY MM dd", "yyyy YYYY w", "YYYY yyyy w", "H a", "h", "a", "EEE", "D", "zzzz", "yyyy-MM-dd zzz",
    };

    static String pattern() {
        if (below(3) > 0) return PATTERNS[below(PATTERNS.length)];
        StringBuilder b = new StringBuilder();
        for (int n = 1 + below(6); n > 0; n--) {
            char letter = "GyMdkHmsSEDFwWahKzZYuXL".charAt(below(23));
            for (int k = 1 + below(below(5) == 0 ? 7 : 4); k > 0; k--)
                if (letter != 'X' || b.length() == 0 || k > 1) b.append(letter);
            if (below(4) > 0) b.append(pick("-", "/", " ", ":", ".", "'T'", "''", ", ", "é", "'x''y'"));
        }
        return b.toString();
    }

    static long time() {
        switch (below(8)) {
        case 0: return -12219292800000L + below(2000) * 43200000L - 1000 * 43200000L + below(86400000);
        case 1: return random.nextLong() % 150000000000000L;
        case 2: return -62135596800000L + random.nextLong() % 700000000000L;
        case 3: return random.nextLong() % 80000000000000000L;
        case 4: return below(2000000000) * 86400L;
        case 5: return -62000000000000L - below(1000000) * 86400000L;
        default: return 1577836800000L + random.nextLong() % 1000000000000L;
        }
    }

    static SimpleDateFormat format(String pattern) {
        SimpleDateFormat f = new SimpleDateFormat(pattern, Locale.US);
        f.setTimeZone(TimeZone.getTimeZone("UTC"));
        return f;
    }

    static boolean usable(String pattern) {
        try {
            format(pattern);
            line("C", hex(pattern), "ok");
            return true;
        } catch (IllegalArgumentException e) {
            line("C", hex(pattern), "bad");
            return false;
        }
    }

    static String scramble(String s) {
        StringBuilder b = new StringBuilder(s);
        for (int n = below(3); n > 0; n--) {
            int at = below(b.length() + 1);
            String piece = pick("0", "9", "12", "-", "+", " ", "\t", "  ", "x", "31", "2020", "99999999999", "4294967297",
                "T", "Z", "GMT", "GMT+5:30", "+0530", "-08:00", "+05", "UTC", "EST", "pdt", "CEST", "May", "june", "AM", "pm",
                "BC", "ad", "Mon", "Friday", "E2", "1E3", "E-1", "\u0663", "NaN", "\u221e", "-\u221e", "\u00e9", "0000", "-7",
                "monday", "+14:00", "+24:00", "+5", ":", "00000000000000000000001");
            switch (below(3)) {
            case 0: b.insert(at, piece); break;
            case 1: if (b.length() > 0) b.deleteCharAt(Math.min(at, b.length() - 1)); break;
            default: if (at < b.length()) b.replace(at, Math.min(b.length(), at + 1 + below(3)), piece);
            }
        }
        return b.toString();
    }

    static void dates(int formats, int parses) {
        for (int i = 0; i < formats; i++) {
            String p = pattern();
            if (!usable(p)) continue;
            long t = time();
            line("P", hex(p), Long.toString(t), hex(format(p).format(new Date(t))));
        }
        for (int i = 0; i < parses; i++) {
            String p = pattern();
            if (!usable(p)) continue;
            String source = below(6) == 0 ? pattern() : p;
            try {
                source = format(source).format(new Date(time()));
            } catch (IllegalArgumentException e) {
                source = "2020-01-01";
            }
            String text = below(3) == 0 ? source : scramble(source);
            Date d;
            try {
                d = format(p).parse(text);
            } catch (java.text.ParseException e) {
                d = null;
            }
            line("T", hex(p), hex(text), d == null ? "-" : Long.toString(d.getTime()));
        }
    }

    // --- regular expressions --------------------------------------------------------

    static final String[] FIXED = {
        "(t)(.*)", "a{2}{3}", "{2}", "a|b|", "(?i)stra\u00dfe", "(?iu)\u00c4b", "(?i)\u00c4b", "[a-z&&[^b]]+", "[^a&&b]", "[a-c&&[b-d]&&c]",
        "[a&&]", "[&&a]", "[a&&&b]", "[a&b]", "[]a]", "[^]a]", "[a-]", "[-a]", "[a-[b]]", "[[a][b]]+", "[\\]a]", "[a\\-z]", "[\\w-z]",
        "\\Qa.b\\E+", "\\Qa", "a\\E", "[\\Q]^-\\E]", "\\\\Q", "\\x41\\u0042\\x{43}\\0104", "\\cA", "\\c", "\\x", "\\u00", "\\0", "\\08",
        "\\x{110000}", "\\ud83d\\ude00", "(a)(b)\\2\\1", "(a)\\11", "(a)\\2", "\\1(a)", "(?<n>a)\\k<n>", "(?<n>a)(?<n>b)", "\\k<n>", "(?<1>a)",
        "(?<n>a)(?<m>b)", "(?x) a b # c\n c", "(?x)[a b]", "(?x)a\\ b", "(?m)^a$", "^a$", "(?md)^a$", "a\\Z", "a\\z", "(?m)^", "(?s).+", ".+", "(?d).+",
        "\\R", "\\R+x", "\\h+", "\\v", "\\H\\V", "\\X", "\\bfoo\\b", "\\Bo", "\\G\\d", "a*+a", "a++b", "(?>a*)a", "a*?b", "a{1,2}?", "a{2,1}", "a{,3}", "a{",
        "a{1", "*a", "a**", "a*+*", "(", ")", "(?", "(?z)", "(?i", "(?i:a)B", "(?-i:a)", "(?i)a(?-i)b", "((?i)a)b", "a(?i)b|c", "\\p{Lu}+", "\\P{Lu}", "\\pL", "\\p{L",
        "\\p{}", "\\p{Foo}", "\\p{IsLatin}+", "\\p{IsFoo}", "\\p{InGreek}", "\\p{InGREEK AND COPTIC}", "\\p{InFoo}", "\\p{script=Greek}", "\\p{sc=Grek}",
        "\\p{blk=BasicLatin}", "\\p{gc=Lu}", "\\p{foo=Lu}", "\\p{Alpha}+", "\\p{IsAlphabetic}+", "\\p{javaLowerCase}+", "\\p{javaUpperCase}", "\\p{Punct}", "(?U)\\w+", "(?U)\\d",
        "(?U)\\p{Lower}", "(?i)\\p{Lower}+", "(?i)\\p{Lu}+", "(?i)[\\p{Upper}]", "[\\p{L}&&[^\\p{Lu}]]+", "[^\\p{L}\\d]", "[\\d&&[13579]]", "(?=a)b", "(?!a).", "(?<=a)b", "(?<!a)b",
        "(?<=\\d{2})x", "(?=a)*b", "^*a", "$?", "\\b+a", "(a*)*", "(a*)+", "(a|b)*", "(a|ab)(c|bcd)(d*)", "((a)|b)*", "(a?)*b", "()+?", "(?:)", "|", "", "(?#c)", "(?$)", "\\", "\\y", "\\N{DIGIT ONE}",
        "[a-\\d]", "[\\d-a]", "[z-a]", "[\\b]", "[\\R]", "[[:alpha:]]", "[\\x41-\\x43]", "(?i)[a-c]+", "(?i)[^a-c]+", "(?iu)[\u00e0-\u00e5]+", "(?i)(a)\\1", "[a-z&&[def]&&[^e]]", "[a-d[m-p]]+",
        "[a-z&&[^m-p]]", "[^[a]b]", "[^[^a]]", "[&&[a]]", "[a-z&&a-c]", "[\\^a]", "[a^]", "[$.]", "a]", "a}", "\\e\\a\\t\\n\\r\\f", "(?<a1>x)", "(?<a_>x)", "\\p{IsL}", "\\p{IsWhite_Space}", "\\p{L1}", "\\p{LC}", "\\p{all}", "[\\v-x]", "[\\h\\s]",
    };

    static String atom(int depth) {
        switch (below(depth > 0 ? 22 : 14)) {
        case 0: case 1: case 2: case 3: return pick("a", "b", "c", "A", "k", "1", "_", " ", "-", "\u00e9", "\u00c9", "\\.", "\\n", "\\r", "foo", "ab");
        case 4: return ".";
        case 5: return pick("\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\h", "\\v");
        case 6: return pick("^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z");
        case 7: case 8: case 9: return charClass(2);
        case 10: return pick("\\p{L}", "\\p{Lu}", "\\P{L}", "\\p{Alpha}", "\\p{Upper}", "\\p{IsAlphabetic}", "\\p{Punct}", "\\p{InGreek}", "\\p{IsGreek}", "\\p{javaLowerCase}");
        case 11: return pick("\\1", "\\2", "\\3", "\\12");
        case 12: return pick("(?i)", "(?m)", "(?s)", "(?-i)", "(?d)", "(?iu)", "(?x)", "(?im)", "(?-m)");
        case 13: return pick("\\x41", "\\u0061", "\\0141", "\\x{e9}", "\\Q.*\\E", "\\t", "\\R");
        case 14: case 15: case 16: return "(" + sequence(depth - 1) + ")";
        case 17: return "(?:" + sequence(depth - 1) + "|" + sequence(depth - 1) + ")";
        case 18: return pick("(?=", "(?!", "(?>", "(?i:", "(?<=", "(?<!", "(?m:", "(?s-i:") + sequence(depth - 1) + ")";
        case 19: return "(?<" + pick("n", "m", "x1") + ">" + sequence(depth - 1) + ")";
        default: return "(" + sequence(depth - 1) + "|" + sequence(depth - 1) + ")";
        }
    }

    // Without a single '&': behind an intersection it brings back what the
    // intersection took away.
    static String charClass(int depth) {
        StringBuilder b = new StringBuilder(below(3) == 0 ? "[^" : "[");
        for (int n = 1 + below(3); n > 0; n--) {
            switch (below(depth > 0 ? 8 : 5)) {
            case 0: case 1: b.append(pick("a", "b", "1", "_", "A", "\u00e9", " ", "\\n", ".", "$", "^")); break;
            case 2: case 3: b.append(pick("a-c", "A-Z", "0-9", "b-z", "\u00e0-\u00ff", "X-b")); break;
            case 4: b.append(pick("\\d", "\\w", "\\s", "\\S", "\\W", "\\p{L}", "\\P{Lu}", "\\p{Lower}", "\\h", "\\V")); break;
            case 5: b.append(charClass(depth - 1)); break;
            default: b.append("&&").append(below(2) == 0 ? charClass(depth - 1) : pick("a-f", "\\w", "[^b]", "a", "\\d"));
            }
        }
        return b.append("]").toString();
    }

    static String sequence(int depth) {
        StringBuilder b = new StringBuilder();
        for (int n = below(4); n >= 0; n--) {
            b.append(atom(depth));
            if (below(3) == 0) b.append(pick("*", "+", "?", "{2}", "{1,2}", "{0,3}", "{1,}", "*?", "+?", "??", "*+", "?+", "{1,2}?", "{2,}+"));
        }
        return b.toString();
    }

    static String text() {
        StringBuilder b = new StringBuilder();
        for (int n = below(9); n > 0; n--)
            b.append(pick("a", "b", "c", "ab", "A", "B", "k", "K", "1", "12", "_", " ", ".", "-", "\n", "\r", "\r\n", "foo", "x", "d", "e",
                "\u00e9", "\u00c9", "\u03b1", "\u0391", "\u00df", "\t", "$", "&", "\ud83d\ude00", "\u2028", "\u0085", "z"));
        return b.toString();
    }

    static String replacement() {
        StringBuilder b = new StringBuilder();
        for (int n = below(4); n > 0; n--)
            b.append(pick("$0", "$1", "$2", "$12", "$123", "${n}", "${x1}", "${nope}", "\\$", "\\\\", "x", "-", "\u00e9", "$", "\\", "${", "${}", "${1}", "$a", "${n"));
        return b.toString();
    }

    // Not compared: \b at letters beyond ASCII, where Java 19 and later differ from
    // 17; and empty matches between the two halves of a surrogate pair.
    static boolean compared(String pattern, String text) {
        if (pattern.matches("(?s).*\\\\[bB].*") && text.matches("(?s).*[^\\x00-\\x7f].*")) return false;
        if (text.codePoints().allMatch(c -> c < 0x10000)) return true;
        try {
            Matcher m = Pattern.compile(pattern).matcher(text);
            while (m.find()) if (m.start() == m.end()) return false;
        } catch (PatternSyntaxException e) {
            return true;
        }
        return true;
    }

    static String answer(String pattern, String text, String replacement) {
        Pattern p;
        try {
            p = Pattern.compile(pattern);
        } catch (PatternSyntaxException e) {
            return "bad";
        }
        StringBuilder b = new StringBuilder();
        Matcher m = p.matcher(text);
        b.append(m.matches() ? 1 : 0).append(',');
        m.reset();
        for (int n = 0; n < 3 && m.find(); n++)
            for (int g = 0; g <= m.groupCount(); g++) {
                if (m.start(g) < 0) { b.append("-;"); continue; }
                b.append(text.substring(0, m.start(g)).getBytes(StandardCharsets.UTF_8).length).append('.')
                    .append(text.substring(0, m.end(g)).getBytes(StandardCharsets.UTF_8).length).append(';');
            }
        b.append(',');
        try {
            b.append(hex(m.replaceAll(replacement)));
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            b.append('!').append(hex(e.getMessage()));
        }
        return b.toString();
    }

    static void regexes(int count) {
        for (int i = 0; i < count; i++) {
            String pattern = i < FIXED.length * 4 ? FIXED[i % FIXED.length] : sequence(3);
            String text = text(), replacement = replacement();
            if (compared(pattern, text))
                line("R", hex(pattern), hex(text), hex(replacement), answer(pattern, text, replacement));
        }
    }

    public static void main(String[] args) {
        random = new Random(Long.parseLong(args[0]));
        dates(Integer.parseInt(args[1]), Integer.parseInt(args[2]));
        regexes(Integer.parseInt(args[3]));
        flush();
    }
}
