export { parseCredential, type Credential, type X509 } from "./credential.js";
export { ConfigError } from "./errors.js";
export { ExitStatus, exitStatusOf } from "./exit.js";
export { createLogger, type Logger } from "./log.js";
export {
  checkValues,
  exactlyOne,
  excludes,
  requires,
  type GivenOption,
  type OptionEntry,
  type OptionValues,
  type Relation,
} from "./options.js";
export {
  runProgram,
  standardOptions,
  type Invocation,
  type ProgramSpec,
  type Streams,
  type Terminal,
} from "./program.js";
export { Progress } from "./progress.js";
export { parseProperties, type Properties } from "./properties.js";
