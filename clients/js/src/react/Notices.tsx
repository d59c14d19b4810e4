/**
 * What is wrong apart from the answer itself: the connection, and the place where things are kept.
 */
import { connectionNotice } from "../chat/words.ts";
import { useParts, useSelected } from "./parts.ts";

export function Notices() {
  const { words } = useParts();
  const connection = useSelected((snapshot) => snapshot.connection);
  const isKept = useSelected((snapshot) => snapshot.isKept);
  const isStopUnheard = useSelected((snapshot) => snapshot.isStopUnheard);
  const notice = connectionNotice(connection, Date.now(), words);
  // Empty but there: a region that comes with its text is not read out everywhere.
  return (
    <>
      <p className="tt-connection" role="status">
        {isStopUnheard ? words.stopUnheard : notice}
      </p>
      <p className="tt-storage" role="status">
        {isKept ? "" : words.notKept}
      </p>
    </>
  );
}
