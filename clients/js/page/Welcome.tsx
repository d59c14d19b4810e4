/** What is there before the first question: what this is, and a few things to try. */

const SUGGESTIONS = [
  "Explain how a ticker tape worked",
  "Write a haiku about patience",
  "Show me a Python function that merges two sorted lists",
];

export function Welcome({ onAsk }: { onAsk: (question: string) => void }) {
  return (
    <div className="page-welcome">
      <h2>Ask something</h2>
      <p>
        The answer is written on the server. Reload, lose the network, open a second tab: it goes on,
        and you get all of it.
      </p>
      <div className="page-suggestions">
        {SUGGESTIONS.map((question) => (
          <button key={question} type="button" onClick={() => onAsk(question)}>
            {question}
          </button>
        ))}
      </div>
    </div>
  );
}
