export { parseDestination, parseSubscription, type Address } from "./address.js";
export { amqp, amqp091, amqp10, main } from "./main.js";
export { fromContent, toContent, type Content } from "./mapping-091.js";
export { fromEncoded, toEncoded, type Encoded } from "./mapping-10.js";
export { parseAmqpUri, type AmqpUri } from "./uri.js";
