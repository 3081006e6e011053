export { BackOff, backOffDefaults, type BackOffOptions } from "./backoff.js";
export { CycleWindow, RestartBudget } from "./budget.js";
export {
  strategies,
  type Child,
  type ChildReport,
  type ChildState,
  type Phase,
  type Strategy,
  type Surroundings,
} from "./child.js";
export { logEvents, type Event, type Report } from "./event.js";
export { Service, type Hands, type Outcome, type RestartPolicy, type ServicePolicy } from "./service.js";
export { Supervisor, type SupervisorPolicy } from "./supervisor.js";
