// A private ActiveMQ: own port, configuration and KahaDB store, started without the system's service.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type TestBroker,
  freePort,
  password,
  privateBroker,
  startChild,
  temporaryDirectory,
  user,
} from "./broker.js";
import { ACTIVEMQ, findJava } from "./requirements.js";

/** Start an ActiveMQ with STOMP and a store that survives kill(). */
export async function startActiveMq(): Promise<TestBroker> {
  const java = findJava();
  if (java === undefined)
    throw new Error("ActiveMQ needs a Java runtime: none in JAVA_HOME, PATH or /usr/lib/jvm");
  const directory = temporaryDirectory("activemq");
  const port = await freePort();
  const conf = join(directory, "conf");
  mkdirSync(conf);
  mkdirSync(join(directory, "tmp"));
  writeFileSync(join(conf, "activemq.xml"), configuration(port, directory));
  writeFileSync(join(conf, "log4j.properties"), LOG4J);
  const properties = {
    "log4j.configuration": `file:${conf}/log4j.properties`,
    "java.io.tmpdir": join(directory, "tmp"),
    "activemq.home": ACTIVEMQ,
    "activemq.base": directory,
    "activemq.conf": conf,
    "activemq.data": join(directory, "data"),
  };
  return privateBroker({
    name: "activemq",
    port,
    directory,
    launch: () =>
      startChild({
        command: java,
        args: [
          // Small and quick to start rather than fast in the long run; no /tmp/hsperfdata_*.
          ...["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"],
          ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
          ...["-jar", join(ACTIVEMQ, "bin/activemq.jar"), "start", `xbean:file:${conf}/activemq.xml`],
        ],
        directory,
        name: "activemq",
        ready: /Apache ActiveMQ .* started/,
      }),
  });
}

// The usage limits are small, yet far above what the tests send: the defaults are shares of the heap and of the
// disk, and on a full machine they would block senders without a word.
const configuration = (port: number, directory: string) => `\
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="
         http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
         http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="spoolwire" useJmx="false" persistent="true"
          dataDirectory="${directory}/data" schedulerSupport="false">
    <persistenceAdapter>
      <kahaDB directory="${directory}/data/kahadb" journalMaxFileLength="8mb"/>
    </persistenceAdapter>
    <plugins>
      <simpleAuthenticationPlugin>
        <users>
          <authenticationUser username="${user}" password="${password}" groups="users"/>
        </users>
      </simpleAuthenticationPlugin>
    </plugins>
    <systemUsage>
      <systemUsage>
        <memoryUsage><memoryUsage limit="128 mb"/></memoryUsage>
        <storeUsage><storeUsage limit="512 mb"/></storeUsage>
        <tempUsage><tempUsage limit="64 mb"/></tempUsage>
      </systemUsage>
    </systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:${port}"/>
    </transportConnectors>
  </broker>
</beans>
`;

const LOG4J = `\
log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %5p %m%n
`;
