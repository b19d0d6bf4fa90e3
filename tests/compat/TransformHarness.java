/*
 * What `tidegate try` does, with Kafka Connect's own classes: decodes records
 * with a connector's converters, applies its predicates and transforms, and
 * encodes what comes out. One JVM for all cases.
 *
 * Reads one case a line, writes one answer a line:
 *   {"id","source":bool,"config":{..},"records":[{"topic","partition","offset",
 *    "timestamp","key","value","headers":[{"name","value"}]}]}
 *   {"id","refused":"..."} or {"id","results":[RESULT]}
 * RESULT: {"dropped":true}, {"error":"..."}, or a record. Bytes are base64 or
 * null, -1 in the input stands for no partition, offset or timestamp.
 */
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.header.Headers;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

public class TransformHarness {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** One transform with its predicate. */
    private record Stage<R extends ConnectRecord<R>>(Transformation<R> transform,
            Predicate<R> predicate, boolean negate) {
        R apply(R record) {
            if (predicate != null && negate == predicate.test(record)) {
                return record;
            }
            return transform.apply(record);
        }
    }

    private final Map<String, String> config = new HashMap<>();
    private final boolean source;
    private final Converter key;
    private final Converter value;
    private final HeaderConverter header;

    private TransformHarness(JsonNode test) throws Exception {
        test.get("config").fields().forEachRemaining(
            e -> config.put(e.getKey(), e.getValue().asText()));
        source = test.get("source").asBoolean();
        key = converter("key", true);
        value = converter("value", false);
        header = make("header.converter");
        Map<String, Object> own = prefixed("header.converter.");
        own.put("converter.type", "header");
        header.configure(own);
    }

    private Map<String, Object> prefixed(String prefix) {
        Map<String, Object> own = new HashMap<>();
        config.forEach((k, v) -> {
            if (k.startsWith(prefix)) {
                own.put(k.substring(prefix.length()), v);
            }
        });
        return own;
    }

    private List<String> list(String name) {
        List<String> out = new ArrayList<>();
        for (String item : config.getOrDefault(name, "").split(",")) {
            if (!item.isBlank()) {
                out.add(item.trim());
            }
        }
        return out;
    }

    @SuppressWarnings("unchecked")
    private <T> T make(String name) throws Exception {
        String type = config.get(name);
        if (type == null) {
            throw new ConfigException(name + " is missing");
        }
        return (T) Class.forName(type).getDeclaredConstructor().newInstance();
    }

    private Converter converter(String role, boolean isKey) throws Exception {
        Converter made = make(role + ".converter");
        made.configure(prefixed(role + ".converter."), isKey);
        return made;
    }

    private <R extends ConnectRecord<R>> Predicate<R> predicate(String alias) throws Exception {
        Predicate<R> made = make("predicates." + alias + ".type");
        made.configure(prefixed("predicates." + alias + "."));
        return made;
    }

    private <R extends ConnectRecord<R>> List<Stage<R>> stages() throws Exception {
        List<Stage<R>> out = new ArrayList<>();
        for (String alias : list("transforms")) {
            String prefix = "transforms." + alias + ".";
            Transformation<R> made = make(prefix + "type");
            Map<String, Object> own = prefixed(prefix);
            own.remove("type");
            own.remove("predicate");
            own.remove("negate");
            made.configure(own);
            String predicate = config.get(prefix + "predicate");
            out.add(new Stage<>(made, predicate == null ? null : predicate(predicate),
                Boolean.parseBoolean(config.getOrDefault(prefix + "negate", "false"))));
        }
        return out;
    }

    // --- records -----------------------------------------------------------------

    private static byte[] bytes(JsonNode node) {
        return node == null || node.isNull() ? null : Base64.getDecoder().decode(node.asText());
    }

    private static Integer partition(JsonNode in) {
        int n = in.get("partition").asInt();
        return n < 0 ? null : n;
    }

    private static Long timestamp(JsonNode in) {
        long n = in.get("timestamp").asLong();
        return n < 0 ? null : n;
    }

    private ConnectRecord<?> decode(JsonNode in) {
        String topic = in.get("topic").asText();
        RecordHeaders raw = new RecordHeaders();
        Headers headers = new ConnectHeaders();
        for (JsonNode h : in.get("headers")) {
            raw.add(h.get("name").asText(), bytes(h.get("value")));
        }
        SchemaAndValue k = key.toConnectData(topic, raw, bytes(in.get("key")));
        SchemaAndValue v = value.toConnectData(topic, raw, bytes(in.get("value")));
        raw.forEach(h -> headers.add(h.key(), header.toConnectHeader(topic, h.key(), h.value())));
        Long ts = timestamp(in);
        if (source) {
            return new SourceRecord(Collections.emptyMap(), Collections.emptyMap(), topic,
                partition(in), k.schema(), k.value(), v.schema(), v.value(), ts, headers);
        }
        return new SinkRecord(topic, in.get("partition").asInt(), k.schema(), k.value(),
            v.schema(), v.value(), in.get("offset").asLong(), ts,
            ts == null ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME, headers);
    }

    private static void put(ObjectNode out, String name, byte[] bytes) {
        out.put(name, bytes == null ? null : Base64.getEncoder().encodeToString(bytes));
    }

    private ObjectNode encode(ConnectRecord<?> record) {
        ObjectNode out = JSON.createObjectNode();
        RecordHeaders raw = new RecordHeaders();
        ArrayNode headers = JSON.createArrayNode();
        for (Header h : record.headers()) {
            byte[] b = header.fromConnectHeader(record.topic(), h.key(), h.schema(), h.value());
            raw.add(h.key(), b);
            ObjectNode one = headers.addObject();
            one.put("name", h.key());
            put(one, "value", b);
        }
        out.put("topic", record.topic());
        out.put("partition", record.kafkaPartition() == null ? -1 : record.kafkaPartition());
        out.put("timestamp", record.timestamp() == null ? -1 : record.timestamp());
        put(out, "key", key.fromConnectData(record.topic(), raw, record.keySchema(),
            record.key()));
        put(out, "value", value.fromConnectData(record.topic(), raw, record.valueSchema(),
            record.value()));
        out.set("headers", headers);
        return out;
    }

    private static String message(Throwable t) {
        StringBuilder text = new StringBuilder();
        for (Throwable at = t; at != null && text.length() < 600; at = at.getCause()) {
            text.append(text.length() > 0 ? " <- " : "").append(at.getClass().getSimpleName())
                .append(": ").append(at.getMessage());
        }
        return text.toString();
    }

    @SuppressWarnings("unchecked")
    private <R extends ConnectRecord<R>> ObjectNode run(List<Stage<R>> stages, JsonNode in) {
        ObjectNode out = JSON.createObjectNode();
        try {
            R record = (R) decode(in);
            for (Stage<R> stage : stages) {
                record = stage.apply(record);
                if (record == null) {
                    return out.put("dropped", true);
                }
            }
            return encode(record);
        } catch (Exception | StackOverflowError e) {
            return out.put("error", message(e));
        }
    }

    private static <R extends ConnectRecord<R>> ObjectNode answer(JsonNode test) {
        ObjectNode out = JSON.createObjectNode().put("id", test.get("id").asText());
        TransformHarness harness;
        List<Stage<R>> stages;
        try {
            harness = new TransformHarness(test);
            stages = harness.stages();
        } catch (Exception e) {
            return out.put("refused", message(e));
        }
        ArrayNode results = out.putArray("results");
        for (JsonNode record : test.get("records")) {
            results.add(harness.run(stages, record));
        }
        return out;
    }


    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(
            new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(
            new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            out.write(JSON.writeValueAsString(TransformHarness.<SourceRecord>answer(JSON.readTree(line))));
            out.write('\n');
        }
        out.flush();
    }
}
