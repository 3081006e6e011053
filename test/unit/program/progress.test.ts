import { PassThrough } from "node:stream";
import { Progress } from "@spoolwire/program";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function terminal(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 10 });
  return { stream, text: () => String((stream.read() as Buffer | null) ?? "") };
}

test("progress is one line of a terminal, written over now and then, and taken away at the end", () => {
  const { stream, text } = terminal(true);
  const progress = new Progress(stream);
  progress.show(() => "too soon");
  vi.advanceTimersByTime(1000);
  progress.show(() => "12345678901234567890");
  progress.show(() => "not again so soon");
  vi.advanceTimersByTime(1000);
  progress.show(() => "next");
  progress.clear();
  progress.clear();
  expect(text()).toBe("\r\x1b[K123456789\r\x1b[Knext\r\x1b[K");
});

test("a terminal that does not know its width gets the whole line", () => {
  const { stream, text } = terminal(true);
  const progress = new Progress(Object.assign(stream, { columns: 0 }));
  vi.advanceTimersByTime(1000);
  progress.show(() => "words");
  expect(text()).toBe("\r\x1b[Kwords");
});

test("progress is nothing but on a terminal", () => {
  const { stream, text } = terminal(false);
  const progress = new Progress(stream);
  vi.advanceTimersByTime(1000);
  progress.show(() => "words");
  progress.clear();
  expect(text()).toBe("");
});
