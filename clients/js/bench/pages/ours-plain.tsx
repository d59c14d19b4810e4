import { PlainText } from "../../src/react/PlainText.tsx";
import { show } from "./harness.tsx";
import { Ours } from "./ours.tsx";

// As `<Chat>` shows text without a renderer of the application's own.
show(
  <Ours
    render={(text) => (
      <div style={{ whiteSpace: "pre-wrap" }}>
        <PlainText text={text} />
      </div>
    )}
  />,
);
