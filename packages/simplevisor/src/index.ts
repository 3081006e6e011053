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
export { giveOrder, type Answer, type Order } from "./control.js";
export { drawTree } from "./draw.js";
export { logEvents, type Event, type Report } from "./event.js";
export { Scaler } from "./scale.js";
export { Service, type Hands, type Outcome, type RestartPolicy, type ServicePolicy } from "./service.js";
export { Store } from "./store.js";
export { Supervisor, type SupervisorPolicy } from "./supervisor.js";
export { main as controlMain } from "./control-main.js";
export { main as loopMain } from "./loop-main.js";
export { main } from "./main.js";
