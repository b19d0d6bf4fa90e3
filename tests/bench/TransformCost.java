/*
 * What Kafka Connect's own converters and transforms cost a record: the other
 * side of transform_cost.c, with the same plan and the same answers.
 *
 *   java -cp 'JARS' TransformCost.java PLAN
 *
 * One JVM and one thread for all rows. First each row runs for "warmup" seconds,
 * twice over all rows, so that the compiler knows every class before anything
 * counts. Then each line on standard input starts a round: "seconds" for each
 * row, an answer a line, and {"round":N} at its end. "ns" is the CPU time of the
 * thread, a record; "all_ns" that of the whole JVM, with the collector and the
 * compiler.
 */
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.cache.Cache;
import org.apache.kafka.common.cache.LRUCache;
import org.apache.kafka.common.cache.SynchronizedCache;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.transforms.Transformation;

public class TransformCost {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final OperatingSystemMXBean PROCESS =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final RecordHeaders HEADERS = new RecordHeaders();

    /** What a user would write to touch five fields, made as the stock ones are. */
    public static class FiveFields implements Transformation<SourceRecord> {
        private final Cache<Schema, Schema> schemas =
            new SynchronizedCache<>(new LRUCache<>(16));

        @Override
        public SourceRecord apply(SourceRecord record) {
            if (record.valueSchema() == null) {
                return withMap(record);
            }
            return withStruct(record);
        }

        @SuppressWarnings("unchecked")
        private static SourceRecord withMap(SourceRecord record) {
            Map<String, Object> value = new HashMap<>((Map<String, Object>) record.value());
            value.put("amount", ((Number) value.get("amount")).doubleValue() * 1.2);
            value.put("customer", "***");
            value.put("id", (Long) value.get("id") + 1);
            value.put("paid", false);
            value.put("fresh", 5L);
            return made(record, null, value);
        }

        private SourceRecord withStruct(SourceRecord record) {
            Struct old = (Struct) record.value();
            Schema schema = schemas.get(old.schema());
            if (schema == null) {
                schema = wider(old.schema());
                schemas.put(old.schema(), schema);
            }
            Struct value = new Struct(schema);
            for (Field field : old.schema().fields()) {
                value.put(field.name(), old.get(field));
            }
            value.put("amount", old.getFloat64("amount") * 1.2);
            value.put("customer", "***");
            value.put("id", old.getInt64("id") + 1);
            value.put("paid", false);
            value.put("fresh", 5L);
            return made(record, schema, value);
        }

        private static Schema wider(Schema old) {
            SchemaBuilder builder = SchemaBuilder.struct().name(old.name());
            for (Field field : old.fields()) {
                builder.field(field.name(), field.schema());
            }
            return builder.field("fresh", Schema.OPTIONAL_INT64_SCHEMA).build();
        }

        private static SourceRecord made(SourceRecord r, Schema schema, Object value) {
            return r.newRecord(r.topic(), r.kafkaPartition(), r.keySchema(), r.key(), schema,
                value, r.timestamp());
        }

        @Override
        public ConfigDef config() {
            return new ConfigDef();
        }

        @Override
        public void configure(Map<String, ?> config) {
        }

        @Override
        public void close() {
        }
    }

    /** One line of the plan. */
    private static class Row {
        final String name;
        final String topic;
        final boolean edit;
        final Converter converter;
        final List<Transformation<SourceRecord>> chain = new ArrayList<>();
        final List<byte[]> input = new ArrayList<>();
        SourceRecord last;
        byte[] lastBytes;
        long sum;

        Row(JsonNode plan, JsonNode spec) throws Exception {
            Map<String, String> config = new HashMap<>();
            spec.get("config").fields().forEachRemaining(
                e -> config.put(e.getKey(), e.getValue().asText()));
            name = spec.get("name").asText();
            topic = spec.get("topic").asText();
            edit = spec.path("edit").asBoolean();
            converter = make(config.get("value.converter"));
            converter.configure(prefixed(config, "value.converter."), false);
            for (String alias : config.getOrDefault("transforms", "").split(",")) {
                if (!alias.isBlank()) {
                    chain.add(transform(config, "transforms." + alias + "."));
                }
            }
            read(plan.get("files"), spec.get("input").asText());
        }

        @SuppressWarnings("unchecked")
        private static <T> T make(String type) throws Exception {
            return (T) Class.forName(type).getDeclaredConstructor().newInstance();
        }

        private static Map<String, String> prefixed(Map<String, String> config, String prefix) {
            Map<String, String> own = new HashMap<>();
            config.forEach((k, v) -> {
                if (k.startsWith(prefix)) {
                    own.put(k.substring(prefix.length()), v);
                }
            });
            return own;
        }

        private static Transformation<SourceRecord> transform(Map<String, String> config,
                String prefix) throws Exception {
            Transformation<SourceRecord> made = make(config.get(prefix + "type"));
            Map<String, String> own = prefixed(config, prefix);
            own.remove("type");
            made.configure(own);
            return made;
        }

        private void read(JsonNode files, String kind) throws Exception {
            boolean encode = kind.equals("encode");
            Converter from = json(true);
            String path = files.get(encode ? "envelope" : kind).asText();
            for (String line : Files.readAllLines(Path.of(path))) {
                byte[] bytes = line.getBytes(StandardCharsets.UTF_8);
                if (encode) {
                    SchemaAndValue v = from.toConnectData(topic, bytes);
                    bytes = converter.fromConnectData(topic, HEADERS, v.schema(), v.value());
                }
                input.add(bytes);
            }
        }

        @SuppressWarnings("unchecked")
        private static void change(SchemaAndValue in, long id) {
            if (in.schema() == null) {
                ((Map<String, Object>) in.value()).put("id", id);
            } else {
                ((Struct) in.value()).put("id", id);
            }
        }

        private void one(byte[] bytes, long id) {
            SchemaAndValue in = converter.toConnectData(topic, HEADERS, bytes);
            if (edit) {
                change(in, id);
            }
            SourceRecord record = new SourceRecord(Collections.emptyMap(),
                Collections.emptyMap(), topic, null, null, null, in.schema(), in.value());
            for (int i = 0; i < chain.size(); i++) {
                record = chain.get(i).apply(record);
            }
            lastBytes = converter.fromConnectData(record.topic(), HEADERS,
                record.valueSchema(), record.value());
            last = record;
            sum += lastBytes.length;
        }

        /** Runs for some seconds; {thread, process} CPU nanoseconds a record. */
        double[] run(double seconds) {
            long thread = THREADS.getCurrentThreadCpuTime();
            long process = PROCESS.getProcessCpuTime();
            long limit = (long) (seconds * 1e9);
            long records = 0;
            long spent;
            do {
                for (int i = 0; i < input.size(); i++) {
                    one(input.get(i), -1L - i);
                }
                records += input.size();
                spent = THREADS.getCurrentThreadCpuTime() - thread;
            } while (spent < limit);
            return new double[] {(double) spent / records,
                (double) (PROCESS.getProcessCpuTime() - process) / records};
        }

        ObjectNode answer(double seconds) {
            double[] cost = run(seconds);
            one(input.get(0), -1);
            SchemaAndValue out = converter.toConnectData(last.topic(), HEADERS, lastBytes);
            byte[] text = json(false).fromConnectData(topic, out.schema(), out.value());
            return JSON.createObjectNode().put("name", name).put("ns", cost[0])
                .put("all_ns", cost[1]).put("bytes", input.get(0).length)
                .put("topic", last.topic())
                .put("result", new String(text, StandardCharsets.UTF_8));
        }

        private static Converter json(boolean schemas) {
            JsonConverter made = new JsonConverter();
            made.configure(Map.of("schemas.enable", String.valueOf(schemas)), false);
            return made;
        }
    }

    private static void say(PrintStream out, JsonNode answer) throws Exception {
        out.println(JSON.writeValueAsString(answer));
        out.flush();
    }

    public static void main(String[] args) throws Exception {
        JsonNode plan = JSON.readTree(new File(args[0]));
        List<Row> rows = new ArrayList<>();
        for (JsonNode spec : plan.get("rows")) {
            rows.add(new Row(plan, spec));
        }
        double warmup = plan.get("warmup").asDouble();
        for (int turn = 0; turn < 2; turn++) {
            for (Row row : rows) {
                row.run(warmup);
            }
        }
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        say(System.out, JSON.createObjectNode().put("ready", true));
        for (int round = 1; in.readLine() != null; round++) {
            for (Row row : rows) {
                say(System.out, row.answer(plan.get("seconds").asDouble()));
            }
            say(System.out, JSON.createObjectNode().put("round", round));
        }
    }
}
