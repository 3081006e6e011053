export { main } from "./main.js";
export { mqgen } from "./mqgen.js";
