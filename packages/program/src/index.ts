export { describeStatus, quit } from "./control.js";
export { parseCredential, renewed, type Credential, type X509 } from "./credential.js";
export { bindTree, type Bound } from "./bind.js";
export { commandCompletion, completion } from "./completion.js";
export { readConfiguration } from "./config-file.js";
export type { ConfigFiles } from "./config-files.js";
export {
  parseConfigGeneral,
  type ConfigGeneralOptions,
  type Lookup,
  type ReadConfiguration,
} from "./config-general.js";
export {
  toObject,
  type ConfigBlock,
  type ConfigNode,
  type ConfigObject,
  type ConfigText,
  type ConfigValue,
} from "./config-tree.js";
export { configurationOptions, type ConfigurationSpec } from "./configuration.js";
export {
  about,
  checkAll,
  ConfigError,
  describeProblem,
  PidFileError,
  type PidFileErrorCode,
  type Position,
  type Problem,
} from "./errors.js";
export { ExitStatus, exitStatusOf } from "./exit.js";
export { FileTarget } from "./log-file.js";
export { createLogger, ProgramLog, type Logger, type LogLevel, type LogTarget } from "./log.js";
export { formatMetrics, type Metric } from "./metrics.js";
export { Notifier } from "./notify.js";
export {
  checkValues,
  exactlyOne,
  excludes,
  requires,
  resolveValues,
  type GivenOption,
  type OptionEntry,
  type OptionValues,
  type Relation,
} from "./options.js";
export {
  isActive,
  PidFile,
  readPidFile,
  tellToQuit,
  type PidFileState,
  type Surroundings,
} from "./pidfile.js";
export {
  runProgram,
  standardOptions,
  type Invocation,
  type ProgramSpec,
  type Streams,
  type Terminal,
} from "./program.js";
export { Progress } from "./progress.js";
export { formatOption, printConfig } from "./print-config.js";
export { formatProperties, parseProperties, type Properties } from "./properties.js";
export { checkService, runService, serviceOptions, serviceRelations, type Service } from "./service.js";
export { listenToSignals, type Signals } from "./signals.js";
export { LONGEST_SOCKET } from "./status-server.js";
export { SyslogTarget } from "./syslog.js";
export { LONGEST_MS, timerMs } from "./timer.js";
export { perlVariables } from "./variables.js";
export { readTls, type TlsFiles } from "./tls.js";
export { write } from "./write.js";
