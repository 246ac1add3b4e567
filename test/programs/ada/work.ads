package Work is
   type Word is mod 2**32;
   function Mix_It (X : Word) return Word;
   function "*" (X : Word; Y : Boolean) return Word;
   package Inner is
      procedure Step (X : in out Word);
   end Inner;
end Work;
