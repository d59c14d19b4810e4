/**
 * The answer that is being read: a run, and the text of it that is shown.
 *
 * Starts the run, or goes on with one that is known.
 */
import { startRun, tailRun } from "../run.ts";
import type { ChatRequest, ConnectionInfo, Run, RunOptions, RunState } from "../types.ts";
import { type Ending, endingOfFailure, endingOfRun } from "./ending.ts";
import { type AnswerStatus, type AssistantMessage, textOf } from "./message.ts";
import { PacedText } from "./paced_text.ts";

export interface LiveAnswerOptions {
  /** What is there of the answer already. */
  message: AssistantMessage;
  idempotencyKey: string;
  /** Asked for only if the run has to be started. */
  request: () => ChatRequest;
  run: RunOptions;
  changed: () => void;
}

export class LiveAnswer {
  readonly id: string;
  #message: AssistantMessage;
  readonly #options: LiveAnswerOptions;
  readonly #pace: PacedText;
  readonly #run: Run;
  readonly #unsubscribe: () => void;
  #isStopUnheard = false;

  constructor(options: LiveAnswerOptions) {
    this.#options = options;
    this.#message = options.message;
    this.id = options.message.id;
    this.#pace = new PacedText(options.message.text);
    this.#run = this.#open(options.message);
    this.#unsubscribe = this.#run.subscribe(options.changed);
  }

  get run(): RunState {
    return this.#run.getSnapshot().run;
  }

  get connection(): ConnectionInfo {
    return this.#run.getSnapshot().connection;
  }

  /** The server could not be told to stop: it has to be asked again. */
  get isStopUnheard(): boolean {
    return this.#isStopUnheard && this.ending === null;
  }

  /** How it ended; null while it is read. */
  get ending(): Ending | null {
    const { run, failure } = this.#run.getSnapshot();
    return failure === null ? endingOfRun(run) : endingOfFailure(failure, run);
  }

  /** Whether there is text that has arrived and waits for its moment. */
  get isBehind(): boolean {
    return this.#pace.isBehind;
  }

  /** Return the message as it is to be shown at this moment: the same one if nothing has changed. */
  show(nowMs: number, isPaced: boolean): AssistantMessage {
    const { run, isStopping } = this.#run.getSnapshot();
    const ending = this.ending;
    if (isPaced && ending === null) this.#pace.advance(textOf(run), nowMs);
    else this.#pace.showAll(textOf(run));
    const text = this.#pace.shown;
    const status = statusOf(ending, isStopping, text);
    const before = this.#message;
    if (before.text !== text || before.status !== status || before.run !== run)
      this.#message = { ...before, run, text, status, ending };
    return this.#message;
  }

  /** Ask the server to stop; the answer ends when its outcome arrives. */
  stop(): void {
    this.#isStopUnheard = false;
    this.#run.stop().catch(() => {
      this.#isStopUnheard = true;
      this.#options.changed();
    });
  }

  /** Stop it and read no further: nobody wants to see its end. */
  abandon(): void {
    this.#unsubscribe();
    // Reading ends only then: a start whose answer is still under way can't be cancelled before.
    const leave = () => this.#run.leave();
    this.#run.stop().then(leave, leave);
  }

  /** Stop reading; the run goes on. */
  leave(): void {
    this.#unsubscribe();
    this.#run.leave();
  }

  #open({ run: state }: AssistantMessage): Run {
    const { request, idempotencyKey, run } = this.#options;
    return state.runId === null
      ? startRun(request(), { ...run, idempotencyKey })
      : tailRun(state.runId, { ...run, state });
  }
}

function statusOf(ending: Ending | null, isStopping: boolean, text: string): AnswerStatus {
  if (ending !== null) return ending.status;
  if (isStopping) return "stopping";
  return text === "" ? "waiting" : "streaming";
}
